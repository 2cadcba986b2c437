// A group member of the churn test on kafkajs: reads, commits what it has read, and records every poll,
// commit and assignment. SIGTERM makes it leave. Arguments: NAME GROUP TOPIC ASSIGNOR; kafkajs has one
// assignor of its own, which it calls RoundRobinAssigner (ASSIGNOR is kafkajs-roundrobin).
'use strict'
const fs = require('fs')
const { Kafka, logLevel } = require('kafkajs')

const [name, group, topic] = process.argv.slice(2)
const file = fs.openSync(process.env.TG_HISTORY, 'a')
let number = 0
let leaving = false

// Stamped with CLOCK_MONOTONIC, and written at once: a SIGKILL loses no line that was told before.
function line(op, type, fields) {
  const t = process.hrtime.bigint().toString()
  const text = JSON.stringify({ client: name, op, type, ...fields })
  fs.writeSync(file, `${text.slice(0, -1)},"t":${t}}\n`)
}
const note = fields => line(number++, 'ok', fields)
function invoke(fields) {
  const op = number++
  line(op, 'invoke', fields)
  return (type, more = {}) => line(op, type, { ...fields, ...more })
}

const kafka = new Kafka({
  clientId: name, brokers: [process.env.TG_BOOTSTRAP], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
})
const consumer = kafka.consumer({
  groupId: group, sessionTimeout: Number(process.env.TG_SESSION_MS), heartbeatInterval: 300,
  rebalanceTimeout: 20000, maxWaitTimeInMs: 200,
})

let fresh = new Map() // partitions of the newest assignment that no record came from yet

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  const tps = (payload.memberAssignment[topic] || []).map(p => `${topic}-${p}`)
  // The event does not tell the generation: the coordinator's descriptions cover one owner each.
  note({ f: 'own', group, generation: null, tps, cooperative: false })
  fresh = new Map(tps.map(tp => [tp, invoke({ f: 'resume', group, tp, offset: -1 })]))
})

async function eachBatch({ batch, isRunning, isStale }) {
  if (!isRunning() || isStale() || batch.messages.length === 0) return
  const tp = `${topic}-${batch.partition}`
  const records = batch.messages.map(m => [tp, Number(m.offset), m.value.toString().trim()])
  if (fresh.has(tp)) {
    // Where it began shows at its first record: what the group had committed, or the start.
    fresh.get(tp)('ok', { offset: records[0][1] > 0 ? records[0][1] : -1 })
    note({ f: 'seek', positions: { [tp]: records[0][1] } })
    fresh.delete(tp)
  }
  note({ f: 'poll', records })
  const next = records[records.length - 1][1] + 1
  const end = invoke({ f: 'commit', group, offsets: { [tp]: next } })
  try {
    await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(next) }])
    // Of a consumer that was told to leave it returns at once, without having sent anything.
    end(leaving ? 'unknown' : 'ok')
  } catch (error) {
    end('unknown', { why: String(error.message) }) // an earlier try of it may have arrived
    note({ f: 'seek', positions: { [tp]: null } }) // kafkajs brings the batch again
    throw error
  }
}

async function main() {
  process.on('SIGTERM', async () => {
    leaving = true
    await Promise.race([consumer.disconnect(), new Promise(resolve => setTimeout(resolve, 8000))])
    process.exit(0)
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    console.log(`NOTE ${payload.error}`)
    if (!payload.restart && !leaving) setTimeout(run, 200) // it does not come back by itself
  })
  await run()
}

async function run() {
  while (!leaving) {
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch })
      return
    } catch (error) {
      console.log(`NOTE ${error}`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
}

main()
