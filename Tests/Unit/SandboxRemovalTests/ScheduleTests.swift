import SandboxRegistry
import TestNode
import Testing

@testable import SandboxRemoval

/// Which steps begin when, driven by hand: no container, no clock.
@Suite struct ScheduleTests {
    private static let unlimited = Schedule.ContainerLimit(first: 100, more: 1, most: 100)

    /// A pod with an infra container and `count` others, of none of which it is known whether it lives.
    private func plan(_ count: Int) throws -> RemovalPlan {
        let workloads = (0..<count).map { Records.container("c\($0)") }
        return .remove(Records.sandbox(), [Records.infra] + workloads, try Records.seen([:]))
    }

    private func record(_ step: Step, _ outcome: StepRecord.Outcome = .done) -> StepRecord {
        StepRecord(step, outcome, start: .zero)
    }

    /// Drives a schedule to its end, one step at a time in an order of `random`'s; the order in which the steps began.
    private func drive(
        _ schedule: inout Schedule, _ random: inout some RandomNumberGenerator, fails: (Step) -> Bool = { _ in false }
    ) -> (begun: [Step], skipped: [Step]) {
        var begun: [Step] = []
        var skipped: [Step] = []
        var running: [Step] = []
        while true {
            for (step, _) in schedule.takeBlocked() {
                skipped.append(step)
                schedule.record(record(step, .skipped))
            }
            let ready = schedule.takeReady()
            begun += ready
            running += ready
            if schedule.takeTimer() { schedule.apply(.waited) }
            guard let index = running.indices.randomElement(using: &random) else { return (begun, skipped) }
            let step = running.remove(at: index)
            schedule.apply(.finished(record(step, fails(step) ? .failed : .done)))
        }
    }

    @Test func everyStepBeginsOnceAndAfterWhatItNeeds() throws {
        for seed in 0..<50 as Range<UInt64> {
            var random = Seeded(seed)
            let plan = try plan(4)
            let limit = Schedule.ContainerLimit(first: Int.random(in: 1...3, using: &random), more: 1, most: 4)
            var schedule = Schedule(plan, containers: limit)
            let (begun, skipped) = drive(&schedule, &random)
            #expect(skipped.isEmpty)
            #expect(begun.map(\.number).sorted() == Array(plan.steps.indices), "seed \(seed)")
            let places = Dictionary(uniqueKeysWithValues: begun.enumerated().map { ($1.number, $0) })
            for step in begun {
                for needed in step.dependencies { #expect(places[needed]! < places[step.number]!, "seed \(seed)") }
            }
            #expect(schedule.finished.map(\.number) == Array(plan.steps.indices))
            #expect(!schedule.hasRunning)
        }
    }

    @Test func aFailureSkipsWhatDependsOnItAndNothingElse() throws {
        for seed in 0..<50 as Range<UInt64> {
            var random = Seeded(seed)
            let plan = try plan(3)
            let failing = plan.steps.indices.dropFirst().randomElement(using: &random)!
            var schedule = Schedule(plan, containers: Self.unlimited)
            let (begun, skipped) = drive(&schedule, &random) { $0.number == failing }
            var dependent: Set<Int> = [failing]
            for step in plan.steps where !dependent.isDisjoint(with: step.dependencies) {
                dependent.insert(step.number)
            }
            #expect(Set(skipped.map(\.number)) == dependent.subtracting([failing]), "seed \(seed)")
            #expect(Set(begun.map(\.number)) == Set(plan.steps.indices).subtracting(skipped.map(\.number)))
            #expect(schedule.finished.count == plan.steps.count)
        }
    }

    /// Where the registry's disk is full, the removal may be what makes room.
    @Test func aMarkThatCannotBeWrittenKeepsNothingFromBeingRemoved() throws {
        var random = Seeded(1)
        let plan = try plan(2)
        var schedule = Schedule(plan, containers: Self.unlimited)
        let (begun, skipped) = drive(&schedule, &random) { $0.action == .markRemoving }
        #expect(skipped.isEmpty)
        #expect(begun.count == plan.steps.count)
    }

    @Test func soManyContainersAtOnce() throws {
        let plan = try plan(5)
        var schedule = Schedule(plan, containers: Schedule.ContainerLimit(first: 2, more: 2, most: 5))
        func containers(_ steps: [Step]) -> Set<String> { Set(steps.map(\.subject.id)).subtracting([plan.sandbox.id]) }
        var begun = containers(schedule.takeReady())
        #expect(begun.count == 2)
        var more = schedule.takeReady()
        #expect(more.isEmpty)

        // Those that take long hold nobody up: one timer at a time, until there are as many as there may be.
        for expected in [4, 5] {
            let timers = [schedule.takeTimer(), schedule.takeTimer()]
            #expect(timers == [true, false])
            schedule.apply(.waited)
            begun.formUnion(containers(schedule.takeReady()))
            #expect(begun.count == expected)
        }
        let timer = schedule.takeTimer()
        #expect(!timer)

        // A container that has ended makes room for another.
        var narrow = Schedule(plan, containers: Schedule.ContainerLimit(first: 1, more: 0, most: 1))
        let first = try #require(narrow.takeReady().last)
        more = narrow.takeReady()
        #expect(more.isEmpty)
        narrow.apply(.finished(record(first)))
        more = narrow.takeReady()
        #expect(containers(more).count == 1)
    }
}
