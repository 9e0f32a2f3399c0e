import XCTest

/// Compares gradients with central differences of a Double reference at every single element.
///
/// Differences of a Float function would drown in rounding; with the reference in Double they are good to nine
/// digits, so the tolerance can be tight: a few units of Float precision, relative to the largest element.
func assertGradient(
  _ name: String, _ gradient: [Float], at point: [Float], tolerance: Double = 2e-5,
  file: StaticString = #filePath, line: UInt = #line, of function: ([Double]) -> Double
) {
  guard gradient.count == point.count else {
    return XCTFail("\(name): \(gradient.count) gradients for \(point.count) values", file: file, line: line)
  }
  var values = point.map(Double.init)
  let step = 1e-5
  var expected: [Double] = []
  for i in values.indices {
    let value = values[i]
    values[i] = value + step
    let above = function(values)
    values[i] = value - step
    let below = function(values)
    values[i] = value
    expected.append((above - below) / (2 * step))
  }
  let largest = expected.map(abs).max() ?? 0
  XCTAssertGreaterThan(largest, 1e-6, "\(name) has no gradient, so nothing was checked", file: file, line: line)
  for i in gradient.indices where !(abs(Double(gradient[i]) - expected[i]) <= tolerance * largest) {
    return XCTFail(
      "\(name)[\(i)]: gradient \(gradient[i]), expected \(expected[i]), largest \(largest), seed \(TestValues.seed)",
      file: file, line: line)
  }
}

func assertClose(
  _ name: String, _ values: [Float], _ expected: [Double], tolerance: Double = 1e-5,
  file: StaticString = #filePath, line: UInt = #line
) {
  XCTAssertEqual(values.count, expected.count, name, file: file, line: line)
  let largest = max(expected.map(abs).max() ?? 0, 1e-3)
  for (i, pair) in zip(values, expected).enumerated() where !(abs(Double(pair.0) - pair.1) <= tolerance * largest) {
    return XCTFail("\(name)[\(i)]: \(pair.0), expected \(pair.1), seed \(TestValues.seed)", file: file, line: line)
  }
}
