/// The positions of a sequence by token id, each id's in ascending order. Its memory is kept from call to call.
struct PositionGroups {
  /// The ids that occur, in the order of their first occurrence.
  private(set) var ids: [Int] = []
  /// Where each id's positions start in `positions`, and the end.
  private(set) var starts: [Int] = []
  private(set) var positions: [Int] = []
  /// An id's place in `ids`, or −1. Reset after each use by way of `ids`, so that its cost is not that of the vocabulary.
  private var places: [Int32]

  init(vocabularySize: Int) { places = [Int32](repeating: -1, count: vocabularySize) }

  mutating func group(_ sequence: [Int]) {
    ids.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    for id in sequence {
      if places[id] < 0 {
        places[id] = Int32(ids.count)
        ids.append(id)
        starts.append(0)
      }
      starts[Int(places[id])] += 1
    }
    var start = 0
    for place in starts.indices {
      let count = starts[place]
      starts[place] = start
      start += count
    }
    positions.removeAll(keepingCapacity: true)
    positions.append(contentsOf: repeatElement(0, count: sequence.count))
    for (position, id) in sequence.enumerated() {
      let place = Int(places[id])
      positions[starts[place]] = position
      starts[place] += 1
    }
    // Each start is now its group's end.
    starts.insert(0, at: 0)
    for id in ids { places[id] = -1 }
  }
}
