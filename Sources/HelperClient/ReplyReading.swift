internal import HelperProtocol
internal import LinuxSystem

extension Reply {
    /// Reads the reply to the request with this kind and id. Output that came in a memfd is put into `facts` as if it
    /// had come inline. Nothing that the helper sends is trusted here.
    init(
        _ buffer: [UInt8], _ packet: Packet, to kind: Kind, _ id: UInt64, _ version: UInt16
    ) throws(HelperError) {
        guard !packet.strange else { throw .malformedReply("cut, or with too many descriptors") }
        do throws(Malformed) {
            try self.init(decoding: buffer.span.extracting(first: packet.bytes), version: version)
        } catch {
            throw .malformedReply("\(error)")
        }
        // A helper answers a packet that it cannot read as it answers Hello, with id 0. So does one that refuses to
        // start.
        if case .malformed(let reason) = outcome { throw .rejected(reason) }
        guard self.kind == kind, requestID == id || kind == .hello && requestID == 0 else {
            throw .malformedReply("it belongs to no request")
        }
        try takeOutput(packet.attachment)
    }

    private mutating func takeOutput(_ attachment: Attachment?) throws(HelperError) {
        guard case .runtime(var runtime) = facts, case .memfd(let count) = runtime.output else {
            guard attachment == nil else { throw .malformedReply("a descriptor that was not announced") }
            return
        }
        guard count <= Limits.outputBytes, let output = attachment?.content(count: Int(count)) else {
            throw .malformedReply("no sealed memfd of \(count) bytes came with it")
        }
        runtime.output = .inline(output)
        facts = .runtime(runtime)
    }
}

extension HelperConnection {
    /// Sends Hello. Throws the reason if the helper does not serve.
    ///
    /// - Parameter launch: How the helper was started, for errors.
    func greet(_ launch: HelperLaunch, within limit: Duration) async throws(HelperError) -> Welcome {
        let path = launch.path
        let reply: Reply
        do throws(HelperError) {
            reply = try await exchange(.hello(.spoken), deadline: .longestDeadline, within: limit)
        } catch .died(_, let ending) {
            throw .endedAtStart(path, ending)
        } catch .noReply {
            throw .startTimedOut(path, limit)
        }
        switch (reply.outcome, reply.facts) {
        case (.done, .welcome(let welcome)):
            guard (Limits.oldestVersion...Limits.version).contains(welcome.version) else {
                throw .unsupportedVersion(VersionRange(minimum: welcome.version, maximum: welcome.version))
            }
            speak(welcome.version)
            guard welcome.missing == 0 else { throw .missingCapabilities(launch, welcome.missing) }
            return welcome
        case (.unsupported(let versions), _): throw .unsupportedVersion(versions)
        case (.refused(let rule, let detail), _): throw .startRefused(rule, detail: printable(detail))
        case (.failed(let failure), _): throw .startFailed(failure)
        default: throw .malformedReply("it is no answer to Hello")
        }
    }
}
