"""A client of CRI, made by protoc and grpcio alone.

usage: client.py SOCKET < CALLS

CALLS is a JSON array of arrays of calls. The calls of one inner array are made at once, each array after the one before.
A call: {"method": "Version", "request": {...}, "timeout": seconds, "cancel": seconds, "after": seconds, "service": "Removal"};
"after" the call before it.
Prints a JSON array of answers, in order: {"code": "OK", "message": "", "response": {...}, "seconds": 0.1}.
A stream's response is {"messages": [...]}.
"""

import json
import sys
import time

import cri_pb2
import cri_pb2_grpc
import grpc
import podreap_pb2
import podreap_pb2_grpc
from google.protobuf import json_format

STREAMS = {("RuntimeService", "GetContainerEvents"), ("Removal", "RemovePodSandbox")}


def stub(channel, service):
    module = podreap_pb2_grpc if service == "Removal" else cri_pb2_grpc
    return getattr(module, service + "Stub")(channel)


def begin(channel, call):
    time.sleep(call.get("after", 0))
    service = call.get("service", "RuntimeService")
    messages = podreap_pb2 if service == "Removal" else cri_pb2
    name = "GetEventsRequest" if call["method"] == "GetContainerEvents" else call["method"] + "Request"
    request = json_format.ParseDict(call.get("request", {}), getattr(messages, name)())
    method = getattr(stub(channel, service), call["method"])
    timeout = call.get("timeout", 60)
    call["begun"] = time.monotonic()
    if (service, call["method"]) in STREAMS:
        return method(request, timeout=timeout)
    pending = method.future(request, timeout=timeout)
    pending.add_done_callback(lambda _: call.update(ended=time.monotonic()))
    return pending


def plain(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def end(pending, call):
    try:
        if "cancel" in call:
            time.sleep(call["cancel"])
            pending.cancel()
            return {"code": "CANCELLED", "message": "", "response": {}, "seconds": 0}
        service = call.get("service", "RuntimeService")
        if (service, call["method"]) in STREAMS:
            response = {"messages": [plain(message) for message in pending]}
        else:
            response = plain(pending.result())
        code, message = "OK", ""
    except grpc.RpcError as error:
        code, message, response = error.code().name, error.details(), {}
    seconds = call.get("ended", time.monotonic()) - call["begun"]
    return {"code": code, "message": message, "response": response, "seconds": seconds}


def main():
    options = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]
    answers = []
    with grpc.insecure_channel("unix:" + sys.argv[1], options=options) as channel:
        for group in json.load(sys.stdin):
            begun = [(begin(channel, call), call) for call in group]
            answers += [end(pending, call) for pending, call in begun]
    json.dump(answers, sys.stdout)


main()
