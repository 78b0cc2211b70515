import Foundation
import TestNode
import Testing

/// The policy module as it is compiled, and as a kernel enforces it upon podreap, podreapd, the helper, runc and crun: the script
/// `run` beside this file makes a policy and a disk, boots User-mode Linux, and prints a line for each check.
@Suite struct SELinux {
    /// How many there are: a check that is lost is no success.
    private static let checks = 131

    /// Debian 12's User-mode Linux begins no program on a processor with AMX, whose state is larger than it knows: its
    /// first process then ends by SIGSEGV, whatever it is.
    private static let canRun: Bool = {
        let said = try? shell(
            """
            work=$(mktemp -d); cd "$work"
            HOME=$work TMPDIR=$work timeout 30 linux mem=128M root=/dev/root rootfstype=hostfs ro init=/bin/true \\
                uml_dir="$work" con=null con0=null,fd:1 </dev/null 2>&1 || true
            rm -rf "$work"
            """
        )
        return said?.contains("Attempted to kill init! exitcode=0x0000000b") != true
    }()

    @Test(
        .enabled(
            if: canRun, "User-mode Linux runs no program on this processor: its state (AMX) is larger than it knows"))
    func allowsWhatIsNeededAndDeniesTheRest() throws {
        let programs = try TestPrograms.builtDirectory()
        let helper = try #require(
            ProcessInfo.processInfo.environment["PODREAP_HELPER"], "PODREAP_HELPER names the helper: make test sets it")
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "run").path()
        var start = ProgramStart(script, [programs, helper])
        start.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
        start.input = 0
        start.output = .read
        let program = try Program(start)
        let output = try program.readAll(seconds: 300)
        #expect(try program.wait(seconds: 10) == .exited(0), "\(output)")

        let lines = output.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
        let results = lines.filter { $0.first == "check" && $0.count >= 3 }
        for result in results where result[1] != "ok" { Issue.record("\(result.dropFirst(2).joined(separator: ": "))") }
        #expect(results.count == Self.checks, "\(output)")
        #expect(Set(results.map { $0[2] }).count == results.count, "two checks have one name")
        #expect(output.contains("1 enforcing, in system_u:system_r:kernel_t:s0"), "\(output)")
        #expect(output.contains("machine: ended with status 0"), "\(output)")
    }
}
