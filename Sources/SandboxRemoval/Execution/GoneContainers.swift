internal import Synchronization

/// The containers that a removal has found gone, and that are still registered.
///
/// A removal forgets them in the transaction that forgets their sandbox, and only where the sandbox stays in one of
/// their own: each transaction writes the same pages again. If the process ends before, they stay registered, and the
/// next removal finds them gone.
final class GoneContainers: Sendable {
    private let list = Mutex<[String]>([])

    var ids: [String] { list.withLock { $0 } }

    func add(_ id: String) { list.withLock { $0.append(id) } }
}
