import HelperOperations
import HelperProtocol

/// The entry point, under the name that the package manager links as `main`.
///
/// Exit statuses: 0 if the connection ended, 1 if the helper refused to start (the reason was sent to the peer), 2 if
/// it was not started as podreap starts it.
@c(podreap_helper_main)
public func start(_ count: Int32, _ arguments: UnsafePointer<UnsafePointer<UInt8>?>) -> Int32 {
    let socket = Descriptor.inherited(0)
    guard count > 0, socket.packetPeer() != nil else {
        explain("podreap-helper is started by podreap, with a SOCK_SEQPACKET socket as standard input\n")
        return 2
    }
    do throws(Outcome) {
        try Confinement.closeInherited()
        socket.passNothing()
        let named = unsafe programArgument(arguments, 1, of: count)
        guard named == nil || Confinement.realUser == 0 else { throw .refused(.startedByOther, detail: named ?? []) }
        let helper = try Helper(socket, policyPath: named ?? text(policyPath))
        helper.serve(socket)
        return 0
    } catch {
        try? socket.send(startRefusal(error))
        return 1
    }
}
