import Foundation

/// A plain reader of the golden files; every mistake in them stops the test.
public struct Safetensors {
  private let data: Data
  private let entries: [String: [String: Any]]
  public let metadata: [String: String]

  public init(_ url: URL) throws {
    let file = try Data(contentsOf: url)
    let headerCount = Int(file.prefix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) })
    let header = try JSONSerialization.jsonObject(with: file[8..<8 + headerCount]) as! [String: Any]
    data = file[(8 + headerCount)...]
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    entries = header.compactMapValues { $0 as? [String: Any] }.filter { $0.key != "__metadata__" }
  }

  public var names: [String] { entries.keys.sorted() }

  public func contains(_ name: String) -> Bool { entries[name] != nil }

  public func shape(_ name: String) -> [Int] { entries[name]!["shape"] as! [Int] }

  public func floats(_ name: String) -> [Float] { load(name, "F32") }

  public func bytes(_ name: String) -> [UInt8] { load(name, "U8") }

  public func integers(_ name: String) -> [Int] { (load(name, "I64") as [Int64]).map(Int.init) }

  /// The bytes of a tensor of any type.
  public func data(_ name: String) -> Data {
    let offsets = entries[name]!["data_offsets"] as! [Int]
    return Data(data[data.startIndex + offsets[0]..<data.startIndex + offsets[1]])
  }

  private func load<Element>(_ name: String, _ type: String) -> [Element] {
    guard let entry = entries[name] else { fatalError("no tensor \(name)") }
    precondition(entry["dtype"] as! String == type, "\(name) is not \(type)")
    let offsets = entry["data_offsets"] as! [Int]
    let bytes = data[data.startIndex + offsets[0]..<data.startIndex + offsets[1]]
    return [Element](unsafeUninitializedCapacity: bytes.count / MemoryLayout<Element>.stride) { buffer, count in
      count = bytes.copyBytes(to: buffer) / MemoryLayout<Element>.stride
    }
  }
}
