/// Why a packet is not a valid message. Number 0 is never used, and a number is never given a new meaning.
public enum Malformed: UInt16, Error, Sendable, CaseIterable {
    case truncated = 1
    case trailingBytes = 2
    case badMagic = 3
    case badVersion = 4
    case unknownKind = 5
    case badLength = 6
    case badFlag = 7
    case badPlace = 8
    case badComponent = 9
    case badContainerID = 10
    case badIntent = 11
    case badSignal = 12
    case badSlice = 13
    case badDeadline = 14
    case tooLong = 15
    case badStatus = 16
    case badFacts = 17
    /// A request other than Hello came first, or a second Hello came.
    case outOfOrder = 18
    /// A request came while another was in flight.
    case pipelined = 19
    case badRequestID = 20
    /// The packet carried file descriptors; requests never do.
    case unexpectedDescriptor = 21
    /// The number of cgroups is not 1 to 16 (version 2).
    case badCgroups = 22
    /// The number of processes is not 1 to 10, or a pid is not 1 to 2³¹ - 1 (version 2).
    case badProcesses = 23
}
