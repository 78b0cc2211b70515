/// What a request does at a place beneath a root.
public enum PlaceUse: Sendable {
    /// Identifying a directory, and listing its children.
    case look
    /// Removing a directory with everything in it.
    case remove
    /// Detaching mounts.
    case unmount
    /// Deleting a namespace's pin.
    case deleteNamespace
    /// Signalling the processes in a cgroup.
    case signal
}

extension Welcome.Root {
    /// Why the policy refuses `use` at a place beneath this root; nil if it is allowed.
    ///
    /// The helper enforces this decision, and the orchestrator uses the same code to explain it before any work begins.
    public func refusal(of place: Place, for use: PlaceUse) -> Rule? {
        guard allows(use) else { return .wrongRootKind }
        guard depths(for: use).contains(place.depth) else { return .wrongDepth }
        guard use != .deleteNamespace || NamePatterns(names).match(place.name) else { return .nameNotAllowed }
        return nil
    }

    private func allows(_ use: PlaceUse) -> Bool {
        switch use {
        case .look: true
        case .remove: !kind.isNamespace
        case .unmount: kind == .sandbox || kind == .container
        case .deleteNamespace: kind.isNamespace
        case .signal: kind == .cgroup
        }
    }

    /// How many components a place beneath the root may have. A mount may lie deeper than what may be removed; a pin
    /// lies directly beneath.
    public func depths(for use: PlaceUse) -> ClosedRange<Int> {
        let least = Int(minimumDepth)
        return switch use {
        case .look: 0...Limits.components
        case .remove: least...max(least, Int(maximumDepth))
        case .unmount: least...max(least, Limits.components)
        case .deleteNamespace: 1...1
        case .signal: 1...Limits.components
        }
    }
}
