import Foundation
import NodeObservation
import SandboxRegistry
import Testing

@testable import HelperClient
@testable import HelperProtocol
@testable import SandboxRemoval

/// What a failed step is said to mean.
struct FailedStepTests {
    private func finding(
        _ verb: String, _ cause: StepCause?, target: String = "/run/ctr/c"
    ) throws -> Finding {
        let explanation = Explanation.of(Facts.stuck(verb, "the detail", cause, target: target))
        return try #require(explanation.findings.first { $0.cause == .failedStep || $0.cause == .immutableEntry })
    }

    @Test(arguments: [
        ("end", "its processes did not end"), ("delete", "runc did not delete the container"),
        ("unmount", "runc could not be unmounted"), ("remove-directory", "the directory runc could not be removed"),
        ("delete-namespace", "the namespace pinned at runc could not be deleted"),
        ("forget", "the registry could not be written"), ("mark", "the registry could not be written"),
        ("some-later-verb", "the step some-later-verb failed"),
    ])
    func isSaidInWords(_ verb: String, _ words: String) throws {
        let finding = try finding(verb, nil, target: "runc")
        #expect(finding.text == words)
        #expect(finding.weight == .blocks)
        #expect(finding.subject == "app")
        #expect(finding.evidence[0].text == "the detail")
        #expect(finding.remedies == ["podreap remove p"])
    }

    @Test(arguments: [
        (EBUSY, "rmdir", "mount point"), (EINVAL, "umount", "locked"), (EROFS, "unlink", "read-only"),
        (EIO, "unlink", "disk"), (ESTALE, "statx", "NFS"), (ENOTCONN, "statx", "FUSE"), (ENOSPC, "unlink", "full"),
        (EPERM, "unlink", "security module"), (EACCES, "unlink", "security module"),
        (ELOOP, "openat2", "symbolic link"),
        (EHOSTDOWN, "statx", "reached"), (ENOTEMPTY, "rmdir", "making files"), (EMFILE, "open", "too many files"),
        (EUCLEAN, "unlink", "damaged"), (ENOMEM, "open", "memory"), (EDQUOT, "unlink", "quota"),
    ])
    func itsErrorNumberMeansSomethingHere(_ number: Int32, _ call: String, _ word: String) throws {
        let finding = try finding("remove-directory", StepCause(kind: .failed, call: call, errno: number, place: "a b"))
        let meaning = try #require(finding.evidence.first { $0.text.hasPrefix("that means: ") })
        #expect(meaning.text.contains(word))
        #expect(finding.remedies.last == "podreap remove p")
        #expect(finding.remedies.count == 2)
        // Commands can be copied into a shell.
        for remedy in finding.remedies where remedy.contains("/run/ctr/c") {
            #expect(remedy.contains("'/run/ctr/c/a b'"), "\(remedy)")
        }
    }

    @Test func aBusyCgroupHasProcesses() throws {
        let cause = StepCause(kind: .failed, call: "rmdir", errno: EBUSY)
        let finding = try finding("delete", cause, target: "/sys/fs/cgroup/x")
        #expect(finding.evidence[1].text.contains("still has processes"))
        #expect(finding.remedies[0] == "find /sys/fs/cgroup/x -name cgroup.procs -exec cat {} +")
    }

    @Test func anErrorNumberThatMeansNothingSpecial() throws {
        let finding = try finding("unmount", StepCause(kind: .failed, call: "umount", errno: ENOEXEC))
        #expect(finding.evidence.count == 1)
    }

    @Test(arguments: [
        ("immutableEntry", "chattr -R -i -a /run/ctr/c"), ("mountBeneath", "findmnt -R /run/ctr/c"),
        ("identityMismatch", "ls -lid /run/ctr/c"), ("leavesRoot", "namei -l /run/ctr/c"),
        ("notNamespace", "stat -f /run/ctr/c"), ("hooksNotAllowed", "hooks"), ("wrongDepth", "podreap doctor"),
        ("missingCapability", "podreap doctor"),
    ])
    func aRuleOfTheHelpers(_ rule: String, _ remedy: String) throws {
        let finding = try finding("remove-directory", StepCause(kind: .refused, rule: rule))
        #expect(finding.remedies[0].contains(remedy))
        #expect(finding.cause == (rule == "immutableEntry" ? .immutableEntry : .failedStep))
    }

    @Test(arguments: [
        (StepCause.Kind.timedOut, ""), (.outsidePolicy, "helper.conf"), (.helper, "podreap doctor"),
        (.registry, "podreap doctor"), (.runtime, "runc list"),
    ])
    func aFailureOfAnotherLayer(_ kind: StepCause.Kind, _ remedy: String) throws {
        let finding = try finding("delete", StepCause(kind: kind))
        #expect(finding.evidence.count == 2)
        #expect(remedy.isEmpty || finding.remedies[0].contains(remedy))
    }

    @Test func saysHowManyStepsWaited() throws {
        var facts = Facts.stuck("end", "x")
        var skipped = try #require(facts.report?.steps.first)
        skipped.outcome = .skipped
        facts.report?.steps += [skipped, skipped]
        let finding = try Explanation.of(facts).first(.failedStep)
        #expect(finding.evidence.last?.text.hasPrefix("2 steps were not tried") == true)
    }

    @Test func comesFromWhatTheHelperSaid() {
        func cause(_ outcome: Outcome, _ facts: HelperProtocol.Facts = .none) -> StepCause? {
            StepCause(Reply(kind: .unmount, requestID: 1, outcome: outcome, facts: facts))
        }
        #expect(cause(.done) == nil)
        #expect(cause(.timedOut)?.kind == .timedOut)
        #expect(
            cause(.refused(.immutableEntry, detail: Array("a/b".utf8)))
                == StepCause(kind: .refused, rule: "immutableEntry", place: "a/b"))
        #expect(
            cause(.failed(Failure(errno: 16, call: .umount)))
                == StepCause(kind: .failed, call: "umount", errno: 16))
        #expect(cause(.failed(Failure(errno: 0, call: .runtime)))?.kind == .runtime)
        #expect(StepCause(HelperError.tooManyAbandoned(4))?.kind == .helper)
        #expect(StepCause(RegistryError.full(path: "x"))?.kind == .registry)
    }

    @Test func isKeptWithTheReport() throws {
        let facts = Facts.stuck("unmount", "x", StepCause(kind: .failed, call: "umount", errno: 22))
        let report = try #require(facts.report)
        #expect(RemovalReport(report.stored) == report)
        // One that an earlier podreap kept has none.
        var old = report
        old.steps[0].cause = nil
        #expect(!String(decoding: old.json(), as: UTF8.self).contains("cause"))
        #expect(RemovalReport(old.stored) == old)
    }
}
