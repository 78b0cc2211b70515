internal import FoundationEssentials
internal import SandboxRegistry
internal import Synchronization

extension Duration {
    /// In milliseconds with one decimal, or in seconds from 10 seconds on.
    var text: String {
        self < .seconds(10) ? "\(Self.decimal(inMilliseconds)) ms" : "\(Self.decimal(inSeconds)) s"
    }

    private static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}

/// The time since something in the largest whole unit: `8s`, `3m`, `2h`, `5d`.
func age(_ age: Duration) -> String {
    let seconds = Int(max(0, age.inSeconds))
    switch seconds {
    case ..<120: return "\(seconds)s"
    case ..<7200: return "\(seconds / 60)m"
    case ..<172_800: return "\(seconds / 3600)h"
    default: return "\(seconds / 86_400)d"
    }
}

func age(since moment: Date) -> String { age(Duration(recordedSeconds: -moment.timeIntervalSinceNow)) }
