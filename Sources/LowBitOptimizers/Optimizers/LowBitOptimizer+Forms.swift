// The forms of `update` for one tensor, by the kind of memory that it lives in.

extension LowBitOptimizer {
  /// Moves an array in place.
  ///
  /// - Parameters:
  ///   - key: the parameter's stable name.
  ///   - gradient: as many elements as the parameter.
  ///   - shape: the dimensions, outermost first; nil for a vector. Checked against the count.
  @discardableResult
  public final func update(
    _ key: ParameterKey, _ parameter: inout [Float], along gradient: [Float], shape: [Int]? = nil
  ) -> UpdateSummary {
    parameter.withUnsafeMutableBufferPointer { parameter in
      gradient.withUnsafeBufferPointer { gradient in update(key, parameter, along: gradient, shape: shape) }
    }
  }

  /// Moves a span in place.
  @discardableResult
  public final func update(
    _ key: ParameterKey, _ parameter: inout MutableSpan<Float>, along gradient: Span<Float>, shape: [Int]? = nil
  ) -> UpdateSummary {
    parameter.withUnsafeMutableBufferPointer { parameter in
      gradient.withUnsafeBufferPointer { gradient in update(key, parameter, along: gradient, shape: shape) }
    }
  }

  /// Moves raw memory in place.
  @discardableResult
  public final func update(
    _ key: ParameterKey, _ parameter: UnsafeMutableBufferPointer<Float>, along gradient: UnsafeBufferPointer<Float>,
    shape: [Int]? = nil
  ) -> UpdateSummary {
    updateEach(of: CollectionOfOne(TensorUpdate(key, parameter, along: gradient, shape: shape)))
  }

  /// The strict form: moves all tensors, or throws and leaves every parameter and all state untouched.
  ///
  /// - Throws: ``NonFiniteGradient`` if a gradient holds a NaN or an infinity.
  public final func updateStrictly(_ tensors: [TensorUpdate]) throws(NonFiniteGradient) {
    for tensor in tensors {
      if let index = firstNonFiniteIndex(in: tensor.gradient, threadCount: threadCount) {
        throw NonFiniteGradient(key: tensor.key, index: index, value: "\(tensor.gradient[index])")
      }
    }
    update(tensors)
  }

  /// The strict form: moves the array, or throws and leaves it and its state untouched.
  ///
  /// - Throws: ``NonFiniteGradient`` if the gradient holds a NaN or an infinity.
  public final func updateStrictly(
    _ key: ParameterKey, _ parameter: inout [Float], along gradient: [Float], shape: [Int]? = nil
  ) throws(NonFiniteGradient) {
    try parameter.withUnsafeMutableBufferPointer { parameter throws(NonFiniteGradient) in
      try gradient.withUnsafeBufferPointer { gradient throws(NonFiniteGradient) in
        try updateStrictly([TensorUpdate(key, parameter, along: gradient, shape: shape)])
      }
    }
  }
}
