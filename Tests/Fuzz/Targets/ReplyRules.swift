import HelperProtocol

extension Reply {
    /// Whether PROTOCOL.md, section 5, lets a reply to this request have this outcome with these facts.
    func answers(_ request: RequestPacket) -> Bool {
        guard kind == request.request.kind, requestID == request.id else { return false }
        switch (request.request, outcome, facts) {
        case (_, .malformed, .none): return true
        case (.hello, .done, .welcome), (.hello, .unsupported, .none): return true
        case (.hello, _, _): return false
        case (.runtimeState, .done, .runtime), (.runtimeList, .done, .runtime): return true
        case (.unmount(_, .look), .done, .mount), (.unmount(_, .act), .done, .count): return true
        case (.unmount(_, .look), .done, .mountPoint), (.unmount(_, .act), .inProgress, .count),
            (.unmountBeneath, .done, .count), (.unmountBeneath, .inProgress, .count):
            return true
        case (.deleteNamespace, .done, .namespace): return true
        case (.removeDirectory(_, .look), .done, .directory(let facts)): return facts.identity.inode != 0
        case (.removeDirectory(_, .act), _, .count): return true
        case (.runtimeKill(_, .look, _, _), .done, .directory(let facts)),
            (.runtimeDelete(_, .look), .done, .directory(let facts)):
            return facts.children.isEmpty && facts.next == 0
        case (.runtimeKill(_, .look, _, _), .done, .container), (.runtimeDelete(_, .look), .done, .container),
            (.runtimeKillCgroups(_, .look, _, _), .done, .container),
            (.runtimeKillProcesses(_, .look, _, _), .done, .container):
            return true
        case (.runtimeKillCgroups(_, .act, _, _), _, .count), (.runtimeKillProcesses(_, .act, _, _), _, .count),
            (.runtimeForget, _, .count):
            return true
        case (.runtimeKill(_, .act, _, _), _, .runtime), (.runtimeDelete(_, .act), _, .runtime),
            (.runtimeState, _, .runtime), (.runtimeList, _, .runtime):
            return true
        case (_, .alreadyDone, .none), (_, .refused, .none), (_, .failed, .none), (_, .timedOut, .none): return true
        default: return false
        }
    }
}
