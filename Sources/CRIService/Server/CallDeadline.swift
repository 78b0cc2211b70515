internal import GRPCCore

/// The deadline that a gRPC call's client has set, for all that the call waits for.
struct CallDeadline: ServerInterceptor {
    /// nil if the client waits for as long as it takes.
    @TaskLocal static var current: ContinuousClock.Instant?

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let limit = request.metadata[stringValues: "grpc-timeout"].first { _ in true }.flatMap(Self.duration)
        return try await Self.$current.withValue(limit.map { .now + $0 }) { try await next(request, context) }
    }

    /// What is left of the current call's time, at most `limit`.
    static func left(_ limit: Duration) -> Duration { current.map { max(.zero, min(limit, $0 - .now)) } ?? limit }

    /// A time as gRPC sends it: at most 8 digits and a unit. nil if the text is no such time.
    static func duration(_ text: String) -> Duration? {
        guard text.count <= 9, let unit = text.last, let number = Int64(text.dropLast()), number >= 0 else {
            return nil
        }
        switch unit {
        case "H": return .seconds(number * 3600)
        case "M": return .seconds(number * 60)
        case "S": return .seconds(number)
        case "m": return .milliseconds(number)
        case "u": return .microseconds(number)
        case "n": return .nanoseconds(number)
        default: return nil
        }
    }
}
