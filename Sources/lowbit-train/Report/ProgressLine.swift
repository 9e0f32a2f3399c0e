import ProgramSupport

/// Shows how far a run is: one line rewritten in place on a terminal, four plain lines a run elsewhere.
struct ProgressLine {
  let optimizer: String
  let steps: Int
  let tokensPerStep: Int
  let isInteractive: Bool
  let write: (String) -> Void
  private var lastShown: ContinuousClock.Instant?
  private var shownWidth = 0

  init(
    optimizer: String, steps: Int, tokensPerStep: Int, isInteractive: Bool = Terminal.isInteractive,
    write: @escaping (String) -> Void = Terminal.write
  ) {
    self.optimizer = optimizer
    self.steps = steps
    self.tokensPerStep = tokensPerStep
    self.isInteractive = isInteractive
    self.write = write
  }

  /// Call after every step; most calls show nothing.
  mutating func update(step: Int, loss: Double, seconds: Double) {
    if isInteractive {
      let now = ContinuousClock.now
      if let lastShown, now - lastShown < .milliseconds(100), step < steps { return }
      lastShown = now
      let text = line(step: step, loss: loss, seconds: seconds)
      // Spaces wipe what is left of a longer line before it.
      write("\r" + text.padded(to: shownWidth))
      shownWidth = text.count
    } else if step == steps || step * 4 / steps > (step - 1) * 4 / steps {
      write(line(step: step, loss: loss, seconds: seconds) + "\n")
    }
  }

  /// Removes the line, so that the next output starts on an empty one.
  mutating func clear() {
    if isInteractive { write("\r" + "".padded(to: shownWidth) + "\r") }
    shownWidth = 0
  }

  func line(step: Int, loss: Double, seconds: Double) -> String {
    let perStep = seconds / Double(max(1, step))
    let speed = perStep > 0 ? Double(tokensPerStep) / perStep : 0
    let left = Double(steps - step) * perStep
    return "\(optimizer.padded(to: 12))  step \(step) of \(steps)  loss \(fixed(loss, 3))  "
      + "\(fixed(speed / 1000, 1))k tokens/s  \(fixed(left, 0)) s left"
  }
}
