internal import HelperProtocol

extension Broker {
    func kill(
        _ target: RuntimeTarget, _ intent: Intent<NodeIdentity>, _ signal: UInt8, in cgroups: [CgroupTarget],
        _ milliseconds: UInt32
    ) throws(Outcome) -> Answer {
        throw .refused(.cgroupNotContainers)
    }

    func forget(_ target: RuntimeTarget, _ only: NodeIdentity) throws(Outcome) -> Answer {
        throw .refused(.containerLives)
    }
}
