import Testing

@testable import NodeObservation

/// What a runtime's log says of a pod, in the forms that runtimes write.
struct RuntimeWordsTests {
    private static let pod = String(repeating: "a", count: 64)
    private static let container = String(repeating: "b", count: 64)
    private static let made = #"time="T0" level=info msg="RunPodSandbox for web returns sandbox id \"\#(pod)\"""#
    private static let asked = #"time="T1" level=info msg="StopPodSandbox for \"\#(pod)\"""#
    private static let failed =
        #"time="T2" level=error msg="StopPodSandbox for \"\#(pod)\" failed" error="failed to stop \"x\": no\nanswer""#
    private static let stopped = #"time="T3" level=info msg="StopPodSandbox for \"\#(pod)\" returns successfully""#

    private func words(_ lines: String...) -> RuntimeWords {
        RuntimeWords(log: Array(lines.joined(separator: "\n").utf8), of: Self.pod, [Self.container], source: "log")
    }

    @Test func nobodyHasAsked() {
        #expect(words(Self.made) == RuntimeWords(source: "log"))
        #expect(
            words("", "level=", "{}", "{\"level\":3}", "level=error msg=other", "\u{0}") == RuntimeWords(source: "log"))
    }

    @Test func anErrorOfThePodsOrAContainers() {
        let found = words(Self.made, Self.asked, Self.failed)
        #expect(found.asked == RuntimeWords.Line(time: "T1", text: "StopPodSandbox for \"\(Self.pod)\""))
        #expect(found.error?.time == "T2")
        #expect(found.error?.text == "StopPodSandbox for \"\(Self.pod)\" failed: failed to stop \"x\": no answer")
        #expect(words("level=error msg=\"a \(Self.container)\"").error?.text == "a \(Self.container)")
        // An error is worth more than a warning that follows it.
        let busy = "level=warning msg=\"failed to cleanup rootfs mount\" error=\"\(Self.container): busy\""
        #expect(words(busy).error?.text.hasSuffix("busy") == true)
        #expect(words(Self.failed, busy).error?.time == "T2")
    }

    @Test func whatSucceededAfterAll() {
        #expect(words(Self.asked, Self.failed, Self.stopped).error == nil)
        #expect(words(Self.asked, Self.failed, Self.made) == RuntimeWords(source: "log"))
        #expect(words(Self.failed, #"level=info msg="Stopped pod sandbox: \#(Self.pod)""#).error == nil)
    }

    @Test func otherForms() {
        let json = #"{"level":"error","msg":"StopPodSandbox failed","error":"\#(Self.pod)","time":"T"}"#
        #expect(words(json).error == RuntimeWords.Line(time: "T", text: "StopPodSandbox failed: \(Self.pod)"))
        let prefixed = "Nov 26 node crio[7]: time=\"T\" level=info msg=\"Stopping pod sandbox: \(Self.pod)\" id=1"
        #expect(words(prefixed).asked?.text == "Stopping pod sandbox: \(Self.pod)")
        let long = "level=error msg=\"\(Self.pod) \(String(repeating: "x", count: 5000))\""
        #expect(words(long).error?.text.count == RuntimeWords.longest)
    }
}
