/// Why a checkpoint could not be saved or restored: what is wrong, and where.
///
/// Nothing has changed when it is thrown: a file that is saved over is still the old one, and an optimizer that is
/// restored is still what it was.
///
/// ```swift
/// do { try optimizer.restore(from: url) } catch { print(error) }
/// // run7.safetensors, layer1.weight.absmax1[12]: the scale nan is not finite
/// ```
public struct CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// The file system refused: no such file, no space, a file that shrank while it was read.
    case fileAccess
    /// Not a safetensors file, or a damaged one.
    case malformed
    /// A value that no state can hold: a scale that is not finite, a negative step, a checksum that disagrees.
    case invalidValue
    /// A version, rule, format or tensor that is unknown here, or that the file to be written cannot express.
    case unsupported
    /// A sound file that is not of this optimizer: another rule, precision or set of parameters.
    case mismatch
  }

  public let kind: Kind
  /// The file.
  public internal(set) var path: String
  /// Where in the file: "header byte 113", "layer1.weight.absmax1[12]".
  public let place: String
  /// What is wrong there.
  public let problem: String

  init(_ kind: Kind, _ place: String, _ problem: String, path: String = "") {
    self.kind = kind
    self.path = path
    self.place = place
    self.problem = problem
  }

  public var description: String { "\(path), \(place): \(problem)" }

  func at(_ path: String) -> CheckpointError {
    CheckpointError(kind, place, problem, path: self.path.isEmpty ? path : self.path)
  }
}
