import Testing

@testable import EventLoop

@Suite struct AlarmTests {
    @Test func alarmsRing() async {
        let first = FirstResult<String>()
        let cancelled = Alarm(at: .now + .milliseconds(20)) { first.finish("cancelled") }
        let late = Alarm(at: .now + .seconds(1000)) { first.finish("late") }
        let due = Alarm(at: .now + .milliseconds(50)) { first.finish("due") }
        cancelled.cancel()
        #expect(await first.value() == "due")
        #expect(await within(.now + .milliseconds(10)) { await FirstResult<Int>().value() } == nil)
        #expect(await within(.now + .seconds(1000)) { 1 } == 1)
        for alarm in [late, due] { alarm.cancel() }
        let past = FirstResult<Bool>()
        _ = Alarm(at: .now - .seconds(1)) { past.finish(true) }
        #expect(await past.value())
    }

    /// Deadlines that are not reached are what there is most of: one that is cancelled keeps nothing until then, and
    /// what it lets go of may cancel another.
    @Test func whatIsCancelledKeepsNothing() {
        final class Thing: Sendable {
            let other: Alarm?
            init(_ other: Alarm?) { self.other = other }
            deinit { other?.cancel() }
        }
        weak var last: Thing?
        for _ in 0..<1000 {
            let other = Alarm(at: .now + .seconds(1000)) {}
            let alarm: Alarm
            do {
                let thing = Thing(other)
                last = thing
                alarm = Alarm(at: .now + .seconds(1000)) { _ = thing }
            }
            #expect(last != nil)
            alarm.cancel()
        }
        #expect(last == nil)
    }
}
