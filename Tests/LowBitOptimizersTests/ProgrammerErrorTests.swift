import LowBitOptimizers
import Testing

/// Mistakes of the calling program stop it, with a message that names the key and both numbers.
struct ProgrammerErrorTests {
  private func stderr(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  }

  @Test func gradientOfAnotherSize() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1, 2, 3]
      Adam8bit().update("layer1.weight", &parameter, along: [1, 2])
    }
    #expect(stderr(result).contains("layer1.weight: the parameter has 3 elements, its gradient 2"))
  }

  @Test func shapeOfAnotherSize() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1, 2, 3]
      Momentum8bit().update("w", &parameter, along: [1, 2, 3], shape: [2, 2])
    }
    #expect(stderr(result).contains("w: the parameter has 3 elements, its shape [2, 2] has 4"))
  }

  @Test func shapeWithoutAPossibleSize() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1]
      Adam8bit().update("w", &parameter, along: [1], shape: [.max, 4])
    }
    #expect(
      stderr(result).contains("w: the parameter has 1 elements, its shape [9223372036854775807, 4] has no possible"))
  }

  @Test func shapeOfTooManyDimensions() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1]
      Adam4bit().update("w", &parameter, along: [1], shape: [Int](repeating: 1, count: 33))
    }
    #expect(stderr(result).contains("w: a shape of 33 dimensions; the limit is 32"))
  }

  @Test func scalesOfAnotherShape() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let optimizer = Adam4bit()
      var parameter = [Float](repeating: 1, count: 96 * 128)
      optimizer.update("w", &parameter, along: parameter, shape: [96, 128])
      optimizer.update("w", &parameter, along: parameter, shape: [128, 96])
    }
    #expect(stderr(result).contains("w: the parameter has shape [128, 96], its state [96, 128]"))
  }

  @Test func formatsThatDoNotGoTogether() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = AdamMixed(firstMoment: .dynamic8.perRowAndColumn, secondMoment: .linear4)
    }
    #expect(stderr(result).contains("dynamic8: scales per row and column go with 4-bit codes"))
    await #expect(processExitsWith: .failure) { _ = Adam3bit(blockSize: 100) }
    await #expect(processExitsWith: .failure) { _ = Adam2bit(blockSize: 130) }
    await #expect(processExitsWith: .failure) { _ = Adam4bit(blockSize: 129) }
  }

  @Test func parameterThatChangesItsSize() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let optimizer = AdamW8bit()
      var parameter: [Float] = [1, 2, 3]
      optimizer.update("w", &parameter, along: [1, 2, 3])
      parameter.append(4)
      optimizer.update("w", &parameter, along: [1, 2, 3, 4])
    }
    #expect(stderr(result).contains("w: the parameter has 4 elements, its state 3"))
  }

  @Test func keyNamedTwice() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1]
      parameter.withUnsafeMutableBufferPointer { p in
        let update = TensorUpdate("w", p, along: UnsafeBufferPointer(p))
        Adam32().update([update, update])
      }
    }
    #expect(stderr(result).contains("w occurs twice in one update"))
  }

  /// After calls that named it once, and among others.
  @Test func keyNamedTwiceAtLast() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter: [Float] = [1, 2, 3]
      parameter.withUnsafeMutableBufferPointer { p in
        let updates = ["u", "v", "w"].map { TensorUpdate(ParameterKey($0), p, along: UnsafeBufferPointer(p)) }
        let optimizer = Adam32()
        optimizer.update(updates)
        optimizer.update(updates)
        optimizer.update(updates + [updates[1]])
      }
    }
    #expect(stderr(result).contains("v occurs twice in one update"))
  }

  @Test func embeddingSizesThatDisagree() async {
    let gradient = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let embedding = StableEmbedding(vocabularySize: 4, dimension: 3, name: "token")
      _ = try embedding.forward([0, 1])
      embedding.backward([1, 2, 3])
    }
    #expect(stderr(gradient).contains("token.outputGradient has 3 elements, not 6"))
    let weight = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      StableEmbedding(vocabularySize: 4, dimension: 3).weight = [1, 2, 3]
    }
    #expect(stderr(weight).contains("embedding.weight has 3 elements, not 12"))
    await #expect(processExitsWith: .failure) { _ = StableEmbedding(vocabularySize: 0, dimension: 3) }
    await #expect(processExitsWith: .failure) { _ = StableEmbedding(weight: [1, 2, 3], dimension: 2) }
    await #expect(processExitsWith: .failure) {
      _ = StableEmbedding(vocabularySize: 4, dimension: 3, paddingIndex: 4)
    }
  }

  @Test func convertingAnotherRule() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Adam8bit(converting: AdamW32())
    }
    #expect(stderr(result).contains("AdamW32 has the rule adamw, Adam8bit has adam"))
  }

  @Test func hyperparametersOutOfRange() async {
    await #expect(processExitsWith: .failure) { _ = Adam8bit(learningRate: .nan) }
    await #expect(processExitsWith: .failure) { _ = Adam8bit(learningRate: -1) }
    await #expect(processExitsWith: .failure) { _ = Adam8bit(learningRate: .infinity) }
    await #expect(processExitsWith: .failure) { _ = AdamW32(beta1: 1) }
    await #expect(processExitsWith: .failure) { _ = Adam32(epsilon: 0) }
    await #expect(processExitsWith: .failure) { _ = AdamOptimizer() }
    await #expect(processExitsWith: .failure) { _ = Momentum8bit(momentum: 1) }
    await #expect(processExitsWith: .failure) { _ = Adam8bit(blockSize: 63) }
    await #expect(processExitsWith: .failure) { _ = Adam32(blockSize: 8192) }
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Adam32(beta2: 1.5)
    }
    #expect(stderr(result).contains("beta2 1.5 is not between 0.0 and"))
  }
}
