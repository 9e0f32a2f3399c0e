extension Codebook {
  /// NF4: zero, 7 negative values from −1 and 8 positive ones to +1, at quantiles of a normal distribution. For first
  /// moments; half a byte a value ("QLoRA: Efficient Finetuning of Quantized LLMs", Dettmers et al., appendix E).
  ///
  /// Its levels are spaced evenly enough that values near a block's largest are kept twice as well as by ``dynamic4``, and
  /// it has both extremes; what is below a 25th of the largest becomes zero.
  public static let normalFloat4 = Codebook(
    name: "normalFloat4",
    values: [
      -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803, 0.1609302,
      0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
    ], isSigned: true, bits: 4)
}
