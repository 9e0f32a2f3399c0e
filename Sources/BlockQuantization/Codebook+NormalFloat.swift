extension Codebook {
  /// The signed map of 16 quantiles of a normal distribution, from −1 to 1 with zero among them. For first moments; half a
  /// byte a value ("QLoRA: Efficient Finetuning of Quantized LLMs", Dettmers et al., appendix E: 4-bit NormalFloat).
  ///
  /// Where a block's values are alike in size, which is the rule for first moments, its error is half that of
  /// ``dynamic4``. Values below 4 % of the scale become zero, where ``dynamic4`` has three levels more.
  public static let normalFloat4 = Codebook(
    name: "normalFloat4",
    values: [
      -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803, 0.1609302,
      0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
    ], isSigned: true, bits: 4)
}
