import Testing

@testable import CRIService

/// Which calls share a job, which begin one, and which wait or are refused.
@Suite struct JobScheduleTests {
    private static func key(_ id: String, grace: Duration = .zero) -> JobQueue.Key {
        JobQueue.Key(verb: .stopContainer, id: id, grace: grace)
    }

    /// `joins 1`, `begins 2`, `waits 3` or `refused`; jobs are numbered in the order in which they are made.
    private func call(
        _ id: String, _ schedule: inout JobSchedule<Int>, _ made: inout Int, grace: Duration = .zero,
        isBounded: Bool = true
    ) -> String {
        let admission = schedule.admit(Self.key(id, grace: grace), isBounded: isBounded) {
            made += 1
            return made
        }
        return switch admission {
        case .joins(let job): "joins \(job)"
        case .begins(let job): "begins \(job)"
        case .waits(let job): "waits \(job)"
        case .refused: "refused"
        }
    }

    @Test func callsForOneKeyShareAJob() {
        var (schedule, made) = (JobSchedule<Int>(atOnce: 4, waiting: 4), 0)
        #expect(call("a", &schedule, &made) == "begins 1")
        #expect(call("a", &schedule, &made) == "joins 1")
        #expect(call("b", &schedule, &made) == "begins 2")
        #expect(
            call("a", &schedule, &made, grace: .seconds(1)) == "begins 3", "a shorter grace waits for no longer one")
        #expect(schedule.count == 3)
        #expect(schedule.ids(of: .stopContainer) == ["a", "b"])
        #expect(schedule.ids(of: .removeSandbox).isEmpty)
    }

    @Test func theOneThatHasWaitedTheLongestBeginsNext() {
        var (schedule, made) = (JobSchedule<Int>(atOnce: 2, waiting: 9), 0)
        let admissions = ["a", "b", "c", "d", "c"].map { call($0, &schedule, &made) }
        #expect(admissions == ["begins 1", "begins 2", "waits 3", "waits 4", "joins 3"])
        #expect(schedule.end() == 3)
        #expect(schedule.end() == 4)
        #expect(schedule.end() == nil)
        schedule.forget(Self.key("a"))
        #expect(call("e", &schedule, &made) == "begins 5", "two run at once, and one of them has ended")
        #expect(call("f", &schedule, &made) == "waits 6")
    }

    @Test func tooManyThatWaitAreRefused() {
        var (schedule, made) = (JobSchedule<Int>(atOnce: 1, waiting: 1), 0)
        let admissions = ["a", "b", "c"].map { call($0, &schedule, &made) }
        #expect(admissions == ["begins 1", "waits 2", "refused"])
        #expect(call("b", &schedule, &made) == "joins 2", "a job that is there already is never refused")
        #expect(call("d", &schedule, &made, isBounded: false) == "waits 3", "what is resumed is never refused")
        #expect(made == 3, "no job is made for a refused call")
        // The work has ended, but its calls are not answered yet.
        #expect(schedule.end() == 2)
        #expect(call("a", &schedule, &made) == "joins 1")
        schedule.forget(Self.key("a"))
        #expect(call("a", &schedule, &made) == "refused", "two others are left")
    }

    @Test func itIsEmptyOnceAllIsForgotten() {
        var (schedule, made) = (JobSchedule<Int>(atOnce: 0, waiting: -1), 0)
        #expect(schedule.isEmpty)
        #expect(call("a", &schedule, &made) == "begins 1", "one runs whatever the settings say")
        #expect(call("b", &schedule, &made) == "refused")
        #expect(schedule.end() == nil)
        #expect(!schedule.isEmpty)
        schedule.forget(Self.key("a"))
        #expect(schedule.isEmpty && schedule.all.isEmpty)
    }
}
