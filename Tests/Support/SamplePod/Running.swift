internal import TestNode

// Programs that make a pod. Whatever goes wrong is a `SampleError`.

/// Throws unless this is root, with mounts that nobody else sees.
func requirePrivateMounts() throws(SampleError) {
    guard currentUser() == 0 else { throw .notRoot }
    guard (try? TestNode.hasMountNamespaceOfItsOwn()) == true else { throw .notPrivate }
}

/// The directories at which cgroup hierarchies of either version are mounted whole.
func cgroupMounts() throws(SampleError) -> [String] {
    do { return try NodeMount.all().filter { $0.type.hasPrefix("cgroup") && $0.root == "/" }.map(\.point) } catch {
        throw .program(command: "mountinfo", reason: "\(error)")
    }
}

/// Runs a command to its end.
///
/// - Parameter hint: What is missing, perhaps, if it fails.
func runCommand(_ command: [String], _ hint: String? = nil) throws(SampleError) {
    let result: (exit: Program.Exit?, output: String)
    do { result = try Program.run(ProgramStart(command)) } catch {
        throw .program(command: command.joined(separator: " "), reason: "\(error)")
    }
    guard result.exit == .exited(0) else {
        let said = [result.output.isEmpty ? "failed" : result.output, hint].compactMap { $0 }
        throw .program(command: command.joined(separator: " "), reason: said.joined(separator: "; "))
    }
}

/// Starts a command whose standard output is read, and whose errors are not.
func startCommand(_ command: [String]) throws(SampleError) -> Program {
    var start = ProgramStart(command)
    start.output = .read
    start.errors = .discarded
    do { return try Program(start) } catch {
        throw .program(command: command.joined(separator: " "), reason: "\(error)")
    }
}
