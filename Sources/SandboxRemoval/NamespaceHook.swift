internal import HelperClient
internal import NodeObservation
public import SandboxRegistry

/// What has to happen before a pod's network namespace is deleted: CNI DEL, which needs the namespace. It may happen again
/// where a removal is resumed, as CNI allows.
public struct NamespaceHook: Sendable {
    /// Why the hook failed: a sentence's end. The namespace stays, and the next call tries again.
    public struct Failure: Error, Sendable {
        public var reason: String
        public init(_ reason: String) { self.reason = reason }
    }

    private let body: @Sendable (Sandbox, NamespacePin) async throws(Failure) -> Void

    /// - Parameter body: Is given what is about to be deleted. It must come to an end by itself.
    public init(_ body: @escaping @Sendable (Sandbox, NamespacePin) async throws(Failure) -> Void) { self.body = body }

    /// A program that is run as this user, with nothing on its standard input, and has to exit with 0.
    ///
    /// Its environment: `PATH`, and `PODREAP_` with `SANDBOX` (the id), `NETNS` (the path), `POD_NAME`, `POD_NAMESPACE`,
    /// `POD_UID`. What it writes goes into the failure's reason.
    ///
    /// - Parameters:
    ///   - command: The program's path and its arguments.
    ///   - timeout: How long it may take before it is killed.
    public init(command: [String], timeout: Duration) {
        self.init { (sandbox, pin) throws(Failure) in
            let environment = [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PODREAP_SANDBOX=\(sandbox.id)",
                "PODREAP_NETNS=\(pin.path)", "PODREAP_POD_NAME=\(sandbox.metadata.name)",
                "PODREAP_POD_NAMESPACE=\(sandbox.metadata.namespace)", "PODREAP_POD_UID=\(sandbox.metadata.uid)",
            ]
            try await Self.run(command, environment, timeout)
        }
    }

    private static func run(_ command: [String], _ environment: [String], _ timeout: Duration) async throws(Failure) {
        let name = command.first ?? ""
        let program: HookProgram
        do throws(LockError) {
            program = try HookProgram(command, environment)
        } catch {
            throw Failure("\(name) cannot be started: \(systemErrorText(error.errno))")
        }
        var isInTime = true
        do throws(ObservationError) {
            if let handle = try ProcessHandle(pid: program.pid) {
                isInTime = await handle.wait(until: .now + timeout)
            }
        } catch {
            isInTime = false
        }
        let end = await offPool { [isInTime] in program.end(kill: !isInTime) }
        let output = end.output.isEmpty ? "" : ": \(printable(end.output))"
        if !isInTime { throw Failure("\(name) was killed after \(timeout.formattedSeconds)\(output)") }
        if end.status != 0 { throw Failure("\(name) \(describe(end.status))\(output)") }
    }

    private static func describe(_ status: Int32) -> String {
        status > 128 ? "was ended by signal \(status - 128)" : "exited with status \(status)"
    }

    func callAsFunction(_ sandbox: Sandbox, _ pin: NamespacePin) async throws(StepFailure) {
        do throws(Failure) {
            try await body(sandbox, pin)
        } catch {
            throw StepFailure("what must happen before the namespace goes has failed: \(error.reason)")
        }
    }
}
