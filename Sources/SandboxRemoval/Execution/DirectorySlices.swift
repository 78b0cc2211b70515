internal import HelperProtocol

/// Decides what follows each answer while a directory is removed slice by slice.
struct DirectorySlices {
    enum Next: Equatable {
        /// Ask for the next slice.
        case goOn
        /// Have several helpers remove shares of it, once, and then ask for the next slice.
        case share
        /// Detach the mount that was met, and identify the directory again.
        case detach
        case end(StepSuccess)
        case fail
    }

    /// A directory is large if this many entries were removed and some are left.
    static let largeDirectory: UInt32 = 4000

    /// What the next request asks for, and how long it may last.
    private(set) var slice: Slice
    private(set) var time: Duration
    /// How many entries are gone.
    var entries: UInt64 = 0
    private let bounds: Bounds
    private var mayShare: Bool
    private var rounds = 0

    struct Bounds {
        /// The most entries that one request removes.
        var entries: UInt32
        /// How long one request lasts, and the longest that it may.
        var time: Duration
        var longest: Duration
    }

    /// - Parameter mayShare: Whether there are helpers enough to share a large directory.
    init(_ bounds: Bounds, mayShare: Bool) {
        self.bounds = bounds
        self.mayShare = mayShare
        slice = Slice(entries: min(bounds.entries, Self.largeDirectory))
        time = bounds.time
    }

    /// - Parameters:
    ///   - count: How many entries that request has removed.
    ///   - took: How long it lasted.
    mutating func next(after outcome: Outcome, count: UInt64, took: Duration) -> Next {
        entries += count
        time = bounds.time(after: time, that: took)
        switch outcome {
        case .done: return .end(StepSuccess(entries: entries))
        case .alreadyDone: return .end(entries > 0 ? StepSuccess(entries: entries) : .alreadyDone)
        case .inProgress:
            slice = Slice(entries: bounds.entries)
            defer { mayShare = false }
            return mayShare ? .share : .goOn
        case .timedOut where time < bounds.longest:
            time = bounds.longest
            return .goOn
        case .refused(.mountBeneath, _) where rounds < mountRounds:
            rounds += 1
            return .detach
        // The recorded directory is gone. What is now at its path is not the pod's, and nothing of the pod is here.
        case .refused(.identityMismatch, _):
            return .end(.another)
        case .refused(.notDirectory, _):
            return .end(
                StepSuccess(
                    already: true, detail: "what is at its path is no directory, so it is not the pod's and stays"))
        default: return .fail
        }
    }
}

extension DirectorySlices.Bounds {
    /// How long the next request for a directory may last. One that took more than twice its time entered many
    /// directories before it reached the first entry. The next request has to enter them again, so it gets more time.
    func time(after time: Duration, that took: Duration) -> Duration {
        took > time * 2 ? max(time, longest) : time
    }
}
