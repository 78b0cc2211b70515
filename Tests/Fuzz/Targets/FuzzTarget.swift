/// One thing that reads what strangers write: its body takes any bytes, and stops the process where a promise is broken.
/// The fuzzers and the replay of their corpora in `make test` share these.
struct FuzzTarget: Sendable {
    let name: String
    let body: @Sendable ([UInt8]) -> Void

    /// All of them; `broker` changes its process (capabilities, working directory), so it wants one of its own.
    static let all = [request, reply, policy, place, command, state, mountinfo, broker]
}

/// Stops the process where a promise is broken; checked in optimised builds too.
func promise(_ kept: Bool, _ what: @autoclosure () -> String = "", file: StaticString = #file, line: UInt = #line) {
    if !kept { fatalError(what(), file: file, line: line) }
}
