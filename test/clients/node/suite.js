// The kafkajs suite: its producer and admin, and its own Fetch code below the group consumer
// (kafkajs can only consume in a group, so the reads here go through its cluster and broker classes).
'use strict'
const assert = require('assert')
const crypto = require('crypto')
const net = require('net')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const lz4 = require('lz4js')
const { hash: xxh32 } = require('lz4js/xxh32.js')
const snappy = require('snappyjs')
const { ZstdCodec } = require('zstd-codec')

const { TG_BOOTSTRAP, TG_PROXIED, TG_CONTROL, TG_CASE } = process.env
const DURABLE = process.env.TG_DURABLE === '1'
const GROWS = process.env.TG_GROWS !== '0'
const BASE_MS = 1600000000000

class Skip extends Error {}
const cases = []
const define = (name, body) => cases.push({ name, body })

const client = broker => new Kafka({
  clientId: 'suite', brokers: [broker], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 60 },
})
const kafka = client(TG_BOOTSTRAP)
const admin = kafka.admin()

const control = command => new Promise((resolve, reject) => {
  const [host, port] = TG_CONTROL.split(':')
  let text = ''
  const socket = net.connect(Number(port), host, () => socket.write(command + '\n'))
  socket.on('error', reject)
  socket.on('data', data => {
    text += data
    if (!text.includes('\n')) return
    socket.destroy()
    const words = text.trim().split(' ')
    words[0] === 'ok' ? resolve(words.slice(1)) : reject(new Error(`${command}: ${text}`))
  })
})

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
const topicName = prefix => `${prefix}-${crypto.randomBytes(6).toString('hex')}`

async function create(prefix, numPartitions = 1) {
  const topic = topicName(prefix)
  assert.ok(await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] }))
  return topic
}

async function withProducer(options, body) {
  const producer = client(options.bootstrap || TG_BOOTSTRAP).producer({ allowAutoTopicCreation: false, ...options })
  await producer.connect()
  try {
    return await body(producer)
  } finally {
    await producer.disconnect()
  }
}

const symbol = Object.getOwnPropertySymbols(kafka).find(s => s.description === 'private:Kafka:createCluster')

// Exactly `count` records of the partition in order of offset, then none.
async function read(topic, partition, count) {
  const cluster = kafka[symbol]({ isolationLevel: 0 })
  await cluster.connect()
  try {
    await cluster.addTargetTopic(topic)
    const leader = cluster.findTopicPartitionMetadata(topic).find(p => p.partitionId === partition).leader
    const broker = await cluster.findBroker({ nodeId: leader })
    const got = []
    for (let turn = 0; turn < 400; turn++) {
      const answer = await broker.fetch({
        replicaId: -1, isolationLevel: 0, maxWaitTime: 300, minBytes: 1, maxBytes: 8 << 20,
        topics: [{ topic, partitions: [{ partition, fetchOffset: got.length, maxBytes: 1 << 20 }] }],
      })
      const found = answer.responses[0].partitions[0]
      assert.strictEqual(found.errorCode, 0)
      const fresh = found.messages.filter(m => Number(m.offset) >= got.length)
      for (const message of fresh) {
        assert.strictEqual(Number(message.offset), got.length)
        got.push(message)
      }
      if (fresh.length === 0 && got.length >= count) break
    }
    assert.strictEqual(got.length, count, 'records read')
    return got
  } finally {
    await cluster.disconnect()
  }
}

const numbered = (partition, n) => `${partition}:${n}:${'x'.repeat(n % 200)}`
const numberedMessages = (partition, from, to) =>
  Array.from({ length: to - from }, (_, i) => ({ partition, value: numbered(partition, from + i) }))

async function checkNumbered(topic, partition, count) {
  const got = await read(topic, partition, count)
  got.forEach((m, n) => assert.strictEqual(m.value.toString(), numbered(partition, n)))
}

define('round_trip', async () => {
  const topic = await create('js-rt', 2)
  const all = Buffer.from(Array.from({ length: 256 }, (_, n) => n))
  const sent = []
  for (const key of [null, Buffer.alloc(0), Buffer.from('k'), all]) {
    for (const value of [null, Buffer.alloc(0), Buffer.from('v'), all]) {
      for (const headers of [{}, { a: Buffer.from('1'), empty: Buffer.alloc(0), '\u00fcn\u2713': all }]) {
        sent.push({ partition: 1, key, value, headers, timestamp: String(BASE_MS + 7 * sent.length) })
      }
    }
  }
  await withProducer({}, producer => producer.send({ topic, messages: sent, acks: -1 }))
  const got = await read(topic, 1, sent.length)
  got.forEach((m, n) => {
    assert.deepStrictEqual(m.key, sent[n].key, `key ${n}`)
    assert.deepStrictEqual(m.value, sent[n].value, `value ${n}`)
    assert.deepStrictEqual(m.headers, sent[n].headers, `headers ${n}`)
    assert.strictEqual(m.timestamp, sent[n].timestamp, `timestamp ${n}`)
  })
})

// lz4js does not mark its blocks as independent, which Kafka wants; a frame of one block always is.
function independent(frame) {
  frame[4] |= 0x20
  frame[6] = (xxh32(0, frame, 4, 2) >> 8) & 0xff // checksum of the two descriptor bytes
  return frame
}

define('codecs', async () => {
  await new Promise(resolve => ZstdCodec.run(zstd => {
    const simple = new zstd.Simple()
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async encoder => Buffer.from(simple.compress(encoder.buffer)),
      decompress: async buffer => Buffer.from(simple.decompress(buffer)),
    })
    resolve()
  }))
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: async encoder => Buffer.from(snappy.compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(snappy.uncompress(buffer)),
  })
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => independent(Buffer.from(lz4.compress(encoder.buffer))),
    decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
  })
  for (const codec of ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD']) {
    const topic = await create(`js-${codec}`)
    await withProducer({}, producer => producer.send({
      topic, acks: -1, compression: CompressionTypes[codec], messages: numberedMessages(0, 0, 500),
    }))
    await checkNumbered(topic, 0, 500)
  }
})

define('large_records', async () => {
  const topic = await create('js-large')
  const value = crypto.randomBytes(900 * 1024)
  await withProducer({}, async producer => {
    for (let n = 0; n < 2; n++) await producer.send({ topic, acks: -1, messages: [{ value }] })
  })
  for (const m of await read(topic, 0, 2)) assert.ok(m.value.equals(value), '900 KB value differs')
})

define('too_large', async () => {
  const topic = await create('js-too-large')
  await withProducer({}, producer => assert.rejects(
    producer.send({ topic, acks: -1, messages: [{ value: Buffer.alloc(2 << 20) }] }),
    error => error.type === 'MESSAGE_TOO_LARGE' || error.cause?.type === 'MESSAGE_TOO_LARGE'))
})

define('offsets_by_time', async () => {
  const topic = await create('js-time')
  const messages = Array.from({ length: 50 }, (_, n) => ({ partition: 0, value: 'v', timestamp: String(BASE_MS + 1000 * n) }))
  await withProducer({}, producer => producer.send({ topic, acks: -1, messages }))
  const at = await admin.fetchTopicOffsetsByTimestamp(topic, BASE_MS + 20500)
  assert.deepStrictEqual(at, [{ partition: 0, offset: '21' }])
  const [{ low, high }] = await admin.fetchTopicOffsets(topic)
  assert.deepStrictEqual([low, high], ['0', '50'])
})

define('topic_admin', async () => {
  const topic = await create('js-admin', 2)
  assert.strictEqual(await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }), false, 'created twice')
  const growth = admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  if (GROWS) await growth
  else await assert.rejects(growth, { type: 'INVALID_PARTITIONS' })
  await eventually(async () => {
    const { topics: [found] } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.strictEqual(found.partitions.length, GROWS ? 5 : 2)
  })
  const resource = { type: 2, name: topic }
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
  await eventually(async () => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ['retention.ms'] }] })
    assert.strictEqual(resources[0].configEntries[0].configValue, '7200000')
  })
  const { brokers, clusterId } = await admin.describeCluster()
  assert.ok(brokers.length === 1 && clusterId)
  await admin.deleteTopics({ topics: [topic] })
  await eventually(async () => assert.ok(!(await admin.listTopics()).includes(topic)))
})

// Kafka's controller answers a change before its broker part has applied it.
async function eventually(body) {
  for (let left = 50; ; left--) {
    try {
      return await body()
    } catch (error) {
      if (left === 0) throw error
      await sleep(100)
    }
  }
}

define('many_in_order', async () => {
  const topic = await create('js-many', 4)
  await withProducer({}, async producer => {
    for (let from = 0; from < 2500; from += 250) {
      const messages = [0, 1, 2, 3].flatMap(p => numberedMessages(p, from, from + 250))
      await producer.send({ topic, acks: -1, messages })
    }
  })
  for (let p = 0; p < 4; p++) await checkNumbered(topic, p, 2500)
})

define('two_hundred_connections', async () => {
  const topic = await create('js-200', 2)
  const producers = Array.from({ length: 200 }, () => client(TG_BOOTSTRAP).producer({ allowAutoTopicCreation: false }))
  try {
    for (const producer of producers) await producer.connect()
    for (const partition of [0, 1]) {
      await Promise.all(producers.map(p => p.send({ topic, acks: -1, messages: [{ partition, value: 'v' }] })))
    }
  } finally {
    await Promise.all(producers.map(p => p.disconnect()))
  }
  for (const partition of [0, 1]) await read(topic, partition, 200)
})

define('idempotent_retry', async () => {
  const topic = await create('js-retry')
  const before = Number((await control('dropped'))[0])
  await control('drop 0 2')
  await withProducer({ bootstrap: TG_PROXIED, idempotent: true, maxInFlightRequests: 1 }, async producer => {
    for (let from = 0; from < 200; from += 20) {
      await producer.send({ topic, acks: -1, messages: numberedMessages(0, from, from + 20) })
    }
  })
  assert.strictEqual(Number((await control('dropped'))[0]) - before, 2, 'answers lost by the proxy')
  await checkNumbered(topic, 0, 200)
})

define('restart_in_the_middle', async () => {
  if (!DURABLE) throw new Skip('the engine keeps nothing over a restart')
  const topic = await create('js-restart')
  let restarted
  await withProducer({ idempotent: true, maxInFlightRequests: 1 }, async producer => {
    for (let from = 0; from < 400; from += 10) {
      if (from === 100) {
        restarted = control('kill')
        restarted.catch(() => {}) // awaited below
      }
      await producer.send({ topic, acks: -1, messages: numberedMessages(0, from, from + 10) })
    }
  })
  await restarted
  await checkNumbered(topic, 0, 400)
})

async function main() {
  await admin.connect()
  let failed = false
  for (const { name, body } of cases) {
    if (TG_CASE && !name.includes(TG_CASE)) continue
    let timer
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('no end after 180 s')), 180000)
    })
    try {
      await Promise.race([body(), limit])
      console.log(`PASS ${name}`)
    } catch (error) {
      if (error instanceof Skip) {
        console.log(`SKIP ${name}: ${error.message}`)
      } else {
        failed = true
        console.log(error.stack)
        console.log(`FAIL ${name}: ${String(error.message).replace(/\s+/g, ' ').slice(0, 400)}`)
      }
    } finally {
      clearTimeout(timer)
    }
  }
  await Promise.race([admin.disconnect(), sleep(2000)])
  process.exit(failed ? 1 : 0)
}

main()
