/// The states of a call's tensors, in its order.
///
/// Most programs name their tensors in the same order every time. Comparing a key costs less than looking it up, and where
/// nothing has changed, a small tensor's state need not be looked at before its turn: it is seldom in a cache.
struct CallOrder {
  /// The state is the optimizer's. Counting a reference to it would mean to wait for its memory.
  private struct Place {
    let key: ParameterKey
    let state: Unmanaged<ParameterState>
  }

  private var places: [Place] = []
  /// Places that the call in progress has taken.
  private(set) var count = 0
  /// A mark of the call in progress, for states beside the order.
  private var callNumber = 0
  /// Whether all places so far are those of the call before. They are different parameters then.
  private var isRepeating = false

  /// - Parameter isSame: whether the states are still those of the call before.
  mutating func beginCall(isSame: Bool) {
    if !isSame { places.removeAll(keepingCapacity: true) }
    count = 0
    callNumber += 1
    isRepeating = true
  }

  /// Takes the next place if the parameter had it in the call before, too.
  mutating func repeatPlace(of key: ParameterKey) -> Bool {
    guard isRepeating, count < places.count, places[count].key == key else { return false }
    count += 1
    return true
  }

  /// Gives the next place to another state than in the call before.
  mutating func add(_ state: ParameterState) {
    if isRepeating {
      for place in 0..<count { withState(at: place) { $0.lastCall = callNumber } }
      isRepeating = false
    }
    mark(state)
    places.removeSubrange(count...)
    places.append(Place(key: state.key, state: .passUnretained(state)))
    count += 1
  }

  /// Marks a state to be in this call: all that an empty tensor needs, for which there is no task.
  func mark(_ state: ParameterState) {
    if state.lastCall == callNumber { fatalError("\(state.key) occurs twice in one update") }
    state.lastCall = callNumber
  }

  func withState<Result>(at place: Int, _ body: (ParameterState) -> Result) -> Result {
    places[place].state._withUnsafeGuaranteedRef(body)
  }
}
