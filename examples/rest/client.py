"""Connects over WebSocket with a token, publishes one message and reads along until it comes back. Needs python3-websockets.

HOLDFAST_URL=ws://127.0.0.1:8080 HOLDFAST_TOKEN=... python3 client.py 'hello from Python'
"""

import asyncio, json, os, sys, uuid, websockets


async def main(text):
    async with websockets.connect(os.environ['HOLDFAST_URL'], subprotocols=['holdfast.v1']) as socket:
        producer = uuid.uuid4().hex  # a new name for each run: its seqs begin at 1
        subscription = {'id': 1, 'topic': 'chat/42', 'last': 10}
        hello = {'type': 'hello', 'client': producer, 'token': os.environ['HOLDFAST_TOKEN'], 'subscribe': [subscription]}
        publish = {'type': 'publish', 'topic': 'chat/42', 'producer': producer, 'seq': 1, 'data': {'text': text}}
        for message in (hello, publish):
            await socket.send(json.dumps(message))
        async for message in map_json(socket):
            if message['type'] == 'error':
                sys.exit(f"{message['code']}: {message['message']}")
            if message['type'] == 'entry':
                print(message['offset'], message['from'], message['data'].get('text'), flush=True)
                if message['producer'] == producer:
                    return


async def map_json(socket):
    async for frame in socket:
        if isinstance(frame, str):  # bytes are entries whose payload is none of JSON
            yield json.loads(frame)


asyncio.run(main(sys.argv[1]))
