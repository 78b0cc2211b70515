/// What is to be done at a place beneath a root.
public enum PlaceUse: Sendable {
    /// Identifying a directory, and listing its children.
    case look
    /// Removing a directory with all that it contains.
    case remove
    /// Detaching mounts.
    case unmount
    /// Deleting a namespace's pin.
    case deleteNamespace
    /// Signalling what lives in a cgroup.
    case signal
}

extension Welcome.Root {
    /// Why the policy refuses `use` at a place beneath this root; nil where it is allowed.
    ///
    /// The helper enforces this, and the orchestrator explains it before anything is begun: there is no second opinion.
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

    /// How many components may lie between the root and the place. A mount may lie deeper than what may be removed; a pin lies directly beneath.
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
