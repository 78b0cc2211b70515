internal import CoreMetrics
internal import GRPCCore
internal import Logging

/// Logs calls, and counts them by method and status code.
struct CallLog: ServerInterceptor {
    let logger: Logger

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let start = ContinuousClock.now
        do {
            let response = try await next(request, context)
            switch response.accepted {
            case .success: end(context, "OK", start)
            case .failure(let error): end(context, "\(error.code)", start, error.message)
            }
            return response
        } catch let error as RPCError {
            end(context, "\(error.code)", start, error.message)
            throw error
        } catch {
            // The decoder failed: the client's message is not what the method takes.
            end(context, "INVALID_ARGUMENT", start, "\(error)")
            throw RPCError(code: .invalidArgument, message: "the message is no \(context.descriptor.method)Request")
        }
    }

    private func end(
        _ context: ServerContext, _ code: String, _ start: ContinuousClock.Instant, _ reason: String? = nil
    ) {
        let seconds = (.now - start) / .seconds(1)
        let method = context.descriptor.method
        Counter(label: "podreap_calls_total", dimensions: [("method", method), ("code", code)]).increment()
        Recorder(label: "podreap_call_duration_seconds", dimensions: [("method", method)]).record(seconds)
        logger.log(
            level: reason == nil ? .debug : .notice, "call",
            metadata: [
                "method": "\(method)", "code": "\(code)", "seconds": "\((seconds * 1000).rounded() / 1000)",
                "reason": reason.map { "\($0)" } ?? "",
            ])
    }
}
