internal import Synchronization

/// The containers that a removal has found gone, and that are still registered.
///
/// A removal forgets them in the transaction that forgets their sandbox, because each transaction writes the same pages
/// again. Only if the sandbox stays do they get a transaction of their own. If the process ends before, they stay
/// registered, and the next removal finds them gone.
final class GoneContainers: Sendable {
    private let list = Mutex<[String]>([])

    var ids: [String] { list.withLock { $0 } }

    func add(_ id: String) { list.withLock { $0.append(id) } }
}
