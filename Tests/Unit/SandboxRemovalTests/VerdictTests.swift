import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// What is dead, what lives, and what is not known.
@Suite struct VerdictTests {
    private typealias Evidence = ContainerEvidence
    private let process = ProcessReference(pid: 7, startTime: 70)

    private func cgroup(_ state: Evidence.OwnCgroup.State, sharers: [String] = [], own: [Int32] = [])
        -> Evidence.OwnCgroup
    {
        Evidence.OwnCgroup(
            path: "/sys/fs/cgroup/c", identity: FileIdentity(device: 1, inode: 2, birth: 0), state: state,
            sharers: sharers, ownMembers: own.map { ProcessReference(pid: $0, startTime: 1) })
    }

    private func evidence(
        _ recorded: Evidence.Init, _ cgroups: [Evidence.OwnCgroup] = [], _ runtime: Evidence.RuntimeRecord = .notAsked,
        _ search: Evidence.Search = .notMade
    ) -> Evidence {
        var evidence = Evidence()
        evidence.recorded = recorded
        evidence.cgroups = cgroups
        evidence.runtime = runtime
        evidence.search = search
        return evidence
    }

    @Test func nothingIsGoneWithoutEvidence() {
        #expect(evidence(.notRecorded).verdict == .unknown(.nothingKnown))
        // The runtime does not know it: that proves nothing.
        #expect(evidence(.notRecorded, [], .absent).verdict == .unknown(.nothingKnown))
        #expect(evidence(.seen(process, .gone)).verdict == .unknown(.nothingKnown))
        #expect(evidence(.seen(process, .gone), [], .absent).verdict == .unknown(.nothingKnown))
        // Its init is gone, but no cgroup tells of its children.
        #expect(evidence(.seen(process, .gone), [], .read(process, .gone)).verdict == .unknown(.nothingKnown))
    }

    @Test func deadInitAndEmptyCgroupsAreProof() {
        let empty = cgroup(.there([]))
        #expect(evidence(.seen(process, .gone), [empty]).verdict == .gone)
        #expect(evidence(.notRecorded, [cgroup(.gone)], .absent).verdict == .gone)
        #expect(evidence(.notRecorded, [empty, cgroup(.gone)], .read(nil, nil)).verdict == .gone)
        #expect(evidence(.notRecorded, [cgroup(.replaced)], .read(nil, nil)).verdict == .gone)
    }

    @Test func anyLifeCountsBeforeWhatIsNotKnown() {
        let unreadable = cgroup(.unreadable("EACCES"))
        #expect(evidence(.seen(process, .alive), [unreadable]).verdict == .alive([7]))
        #expect(evidence(.seen(process, .gone), [cgroup(.there([8, 9])), unreadable]).verdict == .alive([8, 9]))
        #expect(evidence(.seen(process, .alive), [cgroup(.there([7, 8]))]).verdict == .alive([7, 8]))
        #expect(evidence(.notRecorded, [], .read(process, .alive)).verdict == .alive([7]))
        #expect(evidence(.notRecorded, [], .absent, .found([5])).verdict == .alive([5]))
    }

    @Test func whatIsHiddenOrUnreadableIsNotKnown() {
        let empty = cgroup(.there([]))
        #expect(evidence(.seen(process, .hidden), [empty]).verdict == .unknown(.hiddenProcess))
        #expect(evidence(.notRecorded, [empty], .read(process, .hidden)).verdict == .unknown(.hiddenProcess))
        #expect(evidence(.notRecorded, [empty, cgroup(.unreadable("EIO"))]).verdict == .unknown(.unreadableCgroup))
        #expect(evidence(.notRecorded, [], .absent, .hidden).verdict == .unknown(.hiddenNode))
        #expect(evidence(.notRecorded, [], .unreadable, .hidden).verdict == .unknown(.unreadableState))
        #expect(evidence(.notRecorded, [], .unreadable, .notMade).verdict == .unknown(.unreadableState))
    }

    @Test func aSearchOfTheWholeNodeIsProofWhereNothingElseIs() {
        #expect(evidence(.notRecorded, [], .absent, .found([])).verdict == .gone)
        #expect(evidence(.notRecorded, [], .unreadable, .found([])).verdict == .gone)
    }

    @Test func othersInASharedCgroupAreNotItsOwn() {
        #expect(evidence(.seen(process, .gone), [cgroup(.there([8, 9]), sharers: ["other"])]).verdict == .gone)
        let left = cgroup(.there([8, 9]), sharers: ["other"], own: [9])
        #expect(evidence(.seen(process, .gone), [left]).verdict == .alive([9]))
    }

    @Test func theRuntimeIsNotCalledForAnothersContainerNorWhereItWouldKillAnothers() {
        let own = cgroup(.there([]))
        #expect(evidence(.notRecorded, [own], .read(nil, nil)).isRuntimeUsable)
        #expect(!evidence(.notRecorded, [own], .ofAnother).isRuntimeUsable)
        #expect(!evidence(.notRecorded, [own], .unreadable).isRuntimeUsable)
        #expect(!evidence(.notRecorded, [cgroup(.there([]), sharers: ["o"])], .read(nil, nil)).isRuntimeUsable)
        #expect(evidence(.notRecorded, [cgroup(.gone, sharers: ["o"])], .read(nil, nil)).isRuntimeUsable)
        #expect(!evidence(.notRecorded, [own, cgroup(.replaced)], .read(nil, nil)).isRuntimeUsable)
    }

    @Test func aRebootEndsAllButWhatIsAnothers() {
        var late = evidence(.notRecorded)
        late.isAfterReboot = true
        #expect(late.verdict == .gone)
        late.runtime = .read(process, .alive)
        #expect(late.verdict == .alive([7]))
        late.runtime = .read(process, .gone)
        #expect(late.verdict == .gone)
    }

    @Test(arguments: UnknownLife.allCases)
    func everyUnknownSaysWhatLeadsOn(_ cause: UnknownLife) {
        #expect(!cause.meaning.isEmpty && !cause.remedy.isEmpty)
        #expect(cause.rawValue.allSatisfy { $0.isLowercase || $0 == "-" })
    }
}
