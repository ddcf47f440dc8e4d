/* Exclusive leases on one file, and writing behind them.
 *
 * Beside lease_file.pml, which see for what corresponds to what. New here:
 *   - a client that believes its exclusive lease acknowledges writes at once (`dirty`), and sends
 *     them later, one generation at a time (`flushing`);
 *   - others' reads take the lease down to shared, changes take it away, a stat asks its holder (a
 *     glimpse), an fsync is a read that is granted nothing;
 *   - the server restarts: it remembers what was stored and who was fenced, clients flush before
 *     they are done with reclaiming;
 *   - a client is cut off, stops using its leases by its own clock, and comes back, or does not.
 *
 * A value stands for the whole file and its attributes: the number of the write that made it.
 * Numbers are given where a write is acknowledged: at the client under an exclusive lease, else at
 * the server.
 * Every message travels by itself, events too. Requests are repeated until answered, also over a
 * restart, and take effect once (slots), so that their loss is delay.
 *
 * Properties, as assertions:
 *   excl, have           nobody believes anything beside an exclusive lease that is believed
 *   cached, floor        what is read is no older than anything acknowledged, or read, before
 *   flushing > value     no acknowledged write is overwritten by an older one
 *   value >= floor       what was written anywhere before an fsync began is at the server then
 *   lost                 what was acknowledged, then lost with a session, is told by the next fsync
 *   glimpse >= value     a stat shows one moment, not its holder's of then and the server's of now
 *   again                what is parked for a lease is parked for one only once
 * All work is bounded, so no invalid end state says that all that was parked is answered.
 *
 * Each -D at `#ifdef` switches a rule off; model_test.sh knows which property must then fail.
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef THREADS
#define THREADS 1              /* requests at a time, of each client */
#endif
#ifndef OPS
#define OPS 2                  /* of each thread */
#endif
#ifndef OTHER_OPS
#define OTHER_OPS OPS          /* … of clients other than the first */
#endif
#ifndef WRITES
#define WRITES 3               /* of all together, like the following */
#endif
#ifndef STATS
#define STATS 1
#endif
#ifndef SYNCS
#define SYNCS 0
#endif
#ifndef RETURNS
#define RETURNS 0              /* leases given back unasked */
#endif
#ifndef BREAKS
#define BREAKS 0               /* of event streams */
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef SILENT
#define SILENT 0               /* 1: the first client may be cut off */
#endif
#define REQUESTS (CLIENTS * THREADS)
#define CLIENT(t) ((t) / THREADS)
#define BIT(n) (1 << (n))
#define NOBODY 255

#define NONE 0
#define SHARED 1
#define EXCLUSIVE 2
mtype = { idle, sent, parked, behind, asking, replied };
mtype = { page, stat, sync, change };

typedef Request {
  mtype state = idle;
  mtype kind = change;
  byte value;                  /* of the reply; while asking: the server's when it asked */
  byte grant;                  /* of the reply */
  byte floor;                  /* ghost: `newest` when it began */
  byte need;                   /* recalls that it waits for, see NEED */
  bool again;                  /* it was parked before */
  bool overtaken;
  bool asked;                  /* the glimpse, or its event, is not answered yet */
  byte holder;                 /* who is asked */
  byte glimpse;                /* the answer; 0: nothing that the server has not */
#if RETURNS
  byte sequence;
#endif
};
Request rq[REQUESTS];

/* The server. */
byte value;
byte held[CLIENTS];
byte reserved;                 /* by changes that are parked for leases */
byte reserved_read;            /* by reads */
bool fenced[CLIENTS];          /* durable */
bool grace;
#if RETURNS
byte held_sequence[CLIENTS];
byte known[CLIENTS];           /* by the client: sequence of the last grant heard of */
byte given_back[CLIENTS];      /* sequence named by a return on its way, 0 none */
#endif

/* The clients. */
bool excl[CLIENTS];            /* believes its exclusive lease: writes behind */
bool have[CLIENTS];
byte cached[CLIENTS];
byte dirty[CLIENTS];           /* the newest write not being flushed, 0 none */
byte flushing[CLIENTS];        /* what the flush under way carries, 0 none */
mtype flush[CLIENTS] = idle;
byte own[CLIENTS];             /* own changes that go to the server, waiting or sent */
byte writing[CLIENTS];         /* replies being written to the kernel: the gate */
bool page_locked[CLIENTS];
bool silent[CLIENTS];          /* cut off */
bool expired[CLIENTS];         /* has noticed, by its clock */
bool gone[CLIENTS];            /* dead, or knows that it was fenced */
bool error[CLIENTS];           /* the next fsync says EIO */
bool lost[CLIENTS];            /* ghost: acknowledged, lost, not reported */
bool noticed[CLIENTS];         /* the restart, and speaks to the new run */
bool back[CLIENTS];            /* has reclaimed */

/* Recalls, as bits: two numbers each for those to shared (1, 2) and to none (4, 8). */
byte open[CLIENTS];            /* unanswered, at the server */
byte events[CLIENTS];          /* on their way */
byte pending[CLIENTS];         /* being answered */
byte answers[CLIENTS];         /* on their way */
#define TO_SHARED 3
#define TO_NONE 12
#define NEED(c, to_none) BIT(2 * (c) + (to_none))

byte versions;                 /* ghosts */
byte newest;
byte writes = WRITES;
byte stats = STATS;
byte syncs = SYNCS;
byte returns = RETURNS;
byte breaks = BREAKS;
byte restarts = RESTARTS;

#if CLIENTS == 2
#define ALL(p) (p(0) && p(1))
#else
#define ALL(p) (p(0) && p(1) && p(2))
#endif
#define NOT_RECALLED(c) (open[c] == 0)
#define BACK(c) (back[c] || fenced[c])

#include "lease_exclusive_server.pml"
#include "lease_exclusive_client.pml"

/* Client c is cut off. It uses its leases until it notices, and keeps what is dirty. */
proctype Cut(byte c) {
  byte i;
end:
  silent[c] = true;
  d_step {
    writing[c] == 0 ->
    expired[c] = true;
    excl[c] = false;
    Forget(c);
    Barrier(c, NOBODY)
  }
  if
  :: gone[c] = true              /* it was dying */
  :: d_step { !fenced[c] -> silent[c] = false; expired[c] = false }
  :: d_step { fenced[c] ->
       silent[c] = false;
#ifndef FORGET_LOSS            /* what could not be flushed is dropped, and nobody told */
       error[c] = !CLEAN(c);
#endif
       dirty[c] = 0;
       flushing[c] = 0;
       flush[c] = idle;
       gone[c] = true }
     d_step {                    /* the next fsync */
       lost[c] = lost[c] && !error[c];
       error[c] = false;
       assert(!lost[c])
     }
  fi
}

init {
  byte c, t;
  atomic {
    do
    :: c < CLIENTS ->
      run Daemon(c);
      t = c * THREADS;
      do
      :: t < (c + 1) * THREADS -> run Thread(c, t); t++
      :: else -> break
      od;
      c++
    :: else -> break
    od;
#if SILENT
    run Cut(0);
#endif
    c = 0;
    t = 0
  }
}
