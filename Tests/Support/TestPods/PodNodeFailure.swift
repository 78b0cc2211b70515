/// What a test's surroundings lack, or did not do.
public struct PodNodeFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
