"""Connects over wss with a token and prints the newest entry of a topic. Needs python3-websockets.

HOLDFAST_URL=wss://chat.example.com HOLDFAST_CA=ca.crt HOLDFAST_TOKEN=... python3 client.py chat/42
"""

import asyncio, json, os, ssl, sys, websockets

async def main(topic):
    trust = ssl.create_default_context(cafile=os.environ.get('HOLDFAST_CA'))
    async with websockets.connect(os.environ['HOLDFAST_URL'], ssl=trust, subprotocols=['holdfast.v1']) as socket:
        hello = {'type': 'hello', 'client': 'ten-lines', 'token': os.environ['HOLDFAST_TOKEN']}
        await socket.send(json.dumps({**hello, 'subscribe': [{'id': 1, 'topic': topic, 'last': 1}]}))
        async for frame in socket:
            if (message := json.loads(frame))['type'] in ('entry', 'error'):
                return print(message.get('offset'), message.get('from'), message.get('data', message.get('code')))

asyncio.run(main(sys.argv[1]))
