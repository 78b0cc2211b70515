/// A cgroup that is frozen itself, not only by one above it. Thawing it releases the processes in it and beneath it.
public struct FrozenCgroup: Sendable, Equatable, Hashable, Codable {
    public var directory: String
    /// The file that thaws the cgroup, and the text that has to be written to it.
    public var file: String
    public var thaws: String

    public init(directory: String, file: String, thaws: String) {
        self.directory = directory
        self.file = file
        self.thaws = thaws
    }

    /// The frozen cgroups among a cgroup and those above it, the nearest first (`freezer.self_freezing` of version 1,
    /// `cgroup.freeze` of version 2); empty if the cgroup does not exist.
    public static func above(_ directory: String) throws(ObservationError) -> [FrozenCgroup] {
        var found: [FrozenCgroup] = []
        var path = Array(trimmed(Array(directory.utf8)))
        while !path.isEmpty {
            if try reads("1", path + "/freezer.self_freezing".utf8) {
                found.append(
                    FrozenCgroup(directory: path.text, file: path.text + "/freezer.state", thaws: "THAWED"))
            }
            if try reads("1", path + "/cgroup.freeze".utf8) {
                found.append(FrozenCgroup(directory: path.text, file: path.text + "/cgroup.freeze", thaws: "0"))
            }
            guard let end = path.lastIndex(of: slash) else { break }
            path.removeSubrange(end...)
            // Above a hierarchy's root there are no cgroups.
            guard try contents(of: path + "/cgroup.procs".utf8) != nil else { break }
        }
        return found
    }

    private static func reads(_ value: String, _ path: [UInt8]) throws(ObservationError) -> Bool {
        try contents(of: path)?.prefix { $0 != newline }.elementsEqual(value.utf8) ?? false
    }
}
