/* Leases on one inode: who may cache it, and how a change reaches everybody who does.
 *
 * What corresponds to what:
 *   Server, RUN, ANSWERED, RETURNED   server/state/lease_table.*, and the driver that parks requests
 *   Thread                            a request of client/cache: sent, overtaken or not, cached
 *   Recaller                          the client's recall: barrier, gate, invalidation, answer
 *   Stream                            the event stream: lost, reopened, unanswered recalls repeated
 *   `overtaken` of a request          barrier[ino] > the clock noted when the request was sent. (The
 *                                     client's counters only serve to tell just this.)
 *   `have`, `cached`                  what the daemon or the kernel would answer without the server
 *   `page_locked`                     the kernel's lock on a page whose READ is under way
 *   `newest`                          ghost: the newest value acknowledged or returned so far
 *
 * Every message but the events travels by itself: replies, events, answers and returns overtake each
 * other freely. Requests are repeated until answered, and take effect once (slots), so their loss is
 * delay. Values are version numbers; a change makes the next one.
 *
 * Properties, as assertions: whatever a read returns is no older than anything acknowledged, or
 * returned to anybody, before the read began (`value >= newest`: linearizable, which is more than
 * what was promised). A parked change meets no new holder when it runs again (`again == 0`), so that
 * it is parked once at most. As all work is bounded, the absence of invalid end states says that
 * every request, parked or not, is answered.
 *
 * Each -D at `#ifdef` switches a rule off; model_test.sh knows which property must then fail.
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef THREADS
#define THREADS 2              /* requests at a time, of each client */
#endif
#ifndef OPS
#define OPS 2                  /* of each thread */
#endif
#ifndef CHANGES
#define CHANGES 2              /* of all together */
#endif
#ifndef RETURNS
#define RETURNS 1              /* leases given back unasked, by all together */
#endif
#ifndef BREAKS
#define BREAKS 1               /* of the event streams, together */
#endif
#ifndef SILENT
#define SILENT 0               /* 1: the last client may fall silent */
#endif
#define REQUESTS (CLIENTS * THREADS)
#define CLIENT(t) ((t) / THREADS)
#define BIT(n) (1 << (n))

mtype = { idle, sent, parked_read, parked_change, replied };
mtype = { read_page, read_attr, change };

typedef Request {
  mtype state = idle;
  mtype kind = change;
  byte value;                  /* of the reply */
  byte grant;                  /* of the reply: its sequence, 0 none */
  byte floor;                  /* ghost: `newest` when it began */
  byte need;                   /* sessions whose recalls a parked change waits for */
  bool again;                  /* it was parked before */
  bool overtaken;
};
Request rq[REQUESTS];

/* The server. */
byte value;
bool held[CLIENTS];
byte held_sequence[CLIENTS];   /* (one counter for all would only make more states) */
byte outstanding[CLIENTS];     /* number of the unanswered recall, 0 none */
byte numbers[CLIENTS];
byte reservations;
bool fenced[CLIENTS];

/* The clients. */
bool have[CLIENTS];
byte cached[CLIENTS];
byte known[CLIENTS];           /* sequence of the last grant heard of */
byte own[CLIENTS];             /* own changes under way */
byte writing[CLIENTS];         /* replies being written to the kernel: the gate */
bool page_locked[CLIENTS];
bool silent[CLIENTS];          /* hears and says nothing any more */
bool expired[CLIENTS];         /* has dropped everything by itself */

/* The network. */
chan events[CLIENTS] = [2] of { byte };
byte answers[CLIENTS];         /* bit n: the answer to event n is on its way */
byte given_back[CLIENTS];      /* sequence named by a return on its way, 0 none */
byte changes = CHANGES;
byte returns = RETURNS;
byte breaks = BREAKS;
byte newest;

#define RECALLED(c) (outstanding[c] != 0)
#if CLIENTS == 2
#define ANY_RECALLED (RECALLED(0) || RECALLED(1))
#define NEEDED(m) ((((m) & 1) && RECALLED(0)) || (((m) & 2) && RECALLED(1)))
#else
#define ANY_RECALLED (RECALLED(0) || RECALLED(1) || RECALLED(2))
#define NEEDED(m) ((((m) & 1) && RECALLED(0)) || (((m) & 2) && RECALLED(1)) || \
                   (((m) & 4) && RECALLED(2)))
#endif
#ifdef NO_RESERVATION          /* grants go on while a change waits */
#define UNRESERVED (!ANY_RECALLED)
#else
#ifdef GRANT_WHILE_RECALLED    /* … even on what is being recalled */
#define UNRESERVED true
#else
#define UNRESERVED (reservations == 0 && !ANY_RECALLED)
#endif
#endif

inline Grant(t) {
  held[CLIENT(t)] = true;
  held_sequence[CLIENT(t)]++;
  rq[t].grant = held_sequence[CLIENT(t)]
}

inline RecallOthers(t) {
  rq[t].need = 0;
  c = 0;
  do
  :: c < CLIENTS ->
    if
    :: c != CLIENT(t) && held[c] ->
      rq[t].need = rq[t].need | BIT(c);
      if
      :: outstanding[c] == 0 ->
        numbers[c]++;
        outstanding[c] = numbers[c];
        events[c]!numbers[c]
      :: else
      fi
    :: else
    fi;
    c++
  :: else -> break
  od
}

inline RunChange(t) {
  RecallOthers(t);
  if
  :: rq[t].need != 0 ->
    assert(rq[t].again == 0);
    rq[t].again = true;
    rq[t].state = parked_change;
    reservations++
  :: else ->
    value++;
    rq[t].value = value;
    if
    :: held[CLIENT(t)] && UNRESERVED -> Grant(t)
    :: else
    fi;
    rq[t].state = replied
  fi
}

inline RunRead(t) {
  if
  :: rq[t].kind == read_page && !UNRESERVED -> rq[t].state = parked_read
  :: else ->
    rq[t].value = value;
    if
    :: UNRESERVED -> Grant(t)
    :: rq[t].kind == read_attr      /* reserved, or hot */
    fi;
    rq[t].state = replied
  fi
}

/* One request: first run, run again, or refused because its session is gone. */
#define SERVE(t) \
  :: atomic { rq[t].state == sent && !fenced[CLIENT(t)] -> \
       if :: rq[t].kind == change -> RunChange(t) :: else -> RunRead(t) fi; c = 0 } \
  :: atomic { rq[t].state == parked_read && UNRESERVED && !fenced[CLIENT(t)] -> RunRead(t) } \
  :: atomic { rq[t].state == parked_change && !NEEDED(rq[t].need) && !fenced[CLIENT(t)] -> \
       reservations--; RunChange(t); c = 0 } \
  :: atomic { rq[t].state == parked_change && fenced[CLIENT(t)] -> \
       reservations--; rq[t].state = replied }

/* The answer to event n. */
#define TAKE_ANSWER(c, n) \
  :: atomic { (answers[c] & BIT(n)) && !fenced[c] -> \
       answers[c] = answers[c] & ~BIT(n); \
       if :: ANSWERS(c, n) -> outstanding[c] = 0; held[c] = false :: else fi }
#ifdef ANSWER_WITHOUT_NUMBER   /* an answer counts for whatever the session holds by now */
#define ANSWERS(c, n) true
#else
#define ANSWERS(c, n) outstanding[c] == n
#endif

#ifdef RETURN_WITHOUT_SEQUENCE /* a return takes effect whatever was granted since */
#define RETURNS_ALL(c) true
#else
#define RETURNS_ALL(c) held_sequence[c] <= given_back[c]
#endif
#define TAKE_RETURN(c) \
  :: atomic { given_back[c] != 0 && !fenced[c] -> \
       if :: RETURNS_ALL(c) -> held[c] = false :: else fi; given_back[c] = 0 }

/* The server's own patience; that it outlasts the client's is lease_expiry.pml. */
#ifdef FENCED_FIRST
#define PATIENT(c) silent[c]
#else
#define PATIENT(c) expired[c]
#endif
#define FENCE(c) \
  :: atomic { PATIENT(c) && !fenced[c] -> fenced[c] = true; held[c] = false; outstanding[c] = 0 }

#define SERVE_CLIENT(c) \
  TAKE_ANSWER(c, 1) TAKE_ANSWER(c, 2) TAKE_ANSWER(c, 3) TAKE_RETURN(c) FENCE(c)

active proctype Server() {
  byte c;
end:
  do
  SERVE(0) SERVE(1)
#if REQUESTS > 2
  SERVE(2)
#endif
#if REQUESTS > 3
  SERVE(3)
#endif
  SERVE_CLIENT(0) SERVE_CLIENT(1)
#if CLIENTS > 2
  SERVE_CLIENT(2)
#endif
  od
}

/* Everything in flight of client c is overtaken, but for request `except`. */
inline Barrier(c, except) {
  i = c * THREADS;
  do
  :: i < (c + 1) * THREADS ->
    if
    :: i != except && rq[i].state != idle -> rq[i].overtaken = true
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}
#define NOBODY 255

inline Observe(seen) {
  if
  :: seen > newest -> newest = seen
  :: else
  fi
}

/* What the cache holds is read at any time: by a system call that the server never hears of. */
active [CLIENTS] proctype Reader() {
end:
  do
  :: atomic { have[_pid - 1] ->
       assert(cached[_pid - 1] >= newest);
       Observe(cached[_pid - 1]) }
  od
}

inline Begin(t, what) {
  rq[t].kind = what;
  rq[t].floor = newest;
  rq[t].overtaken = false;
  rq[t].again = false;
  rq[t].grant = 0;
  rq[t].value = 0;
  rq[t].need = 0;
  rq[t].state = sent
}

inline End(t) {
  rq[t].state = idle;
  rq[t].kind = change;
  rq[t].floor = 0;
  rq[t].overtaken = false;
  rq[t].again = false;
  rq[t].grant = 0;
  rq[t].value = 0;
  rq[t].need = 0
}

inline Learn(t, c) {
  if
  :: rq[t].grant > known[c] -> known[c] = rq[t].grant
  :: else
  fi
}

/* Rules about own changes and own returns. */
#ifdef LATE_OWN_DROP           /* an own change drops what is cached when it ends, not before */
#define DropOwn(c) skip
#else
#define DropOwn(c) have[c] = false; cached[c] = 0
#endif
#ifdef NO_GATE                 /* replies being written may land after the invalidation */
#define GATE(c) true
#else
#define GATE(c) (writing[c] == 0)
#endif
#ifdef NO_OWN_GATE             /* … after that of an own change only */
#define GATE_OWN(c) true
#else
#define GATE_OWN(c) GATE(c)
#endif

#define FRESH(t, c) (rq[t].grant != 0 && !rq[t].overtaken && own[c] == 0)

proctype Thread(byte c; byte t) {
  byte left = OPS;
  byte i;
end_again:
  if
  :: atomic { left > 0 && !silent[c] && !have[c] && !page_locked[c] ->
       left--; page_locked[c] = true; Begin(t, read_page) }
  :: atomic { left > 0 && !silent[c] && !have[c] -> left--; Begin(t, read_attr) }
  :: atomic { left > 0 && !silent[c] && changes > 0 ->
       left--;
       changes--;
       own[c]++;
       DropOwn(c);
       Barrier(c, NOBODY) }
     atomic { GATE_OWN(c) -> DropOwn(c); Begin(t, change) }
  :: atomic { left > 0 && !silent[c] && returns > 0 && known[c] != 0 && given_back[c] == 0 ->
       left--;
       returns--;
#ifndef NO_RETURN_BARRIER      /* replies on their way are still believed after the return */
       Barrier(c, NOBODY);
#endif
       have[c] = false;
       cached[c] = 0 }
     atomic {
       GATE(c) ->
       have[c] = false;
       cached[c] = 0;
       given_back[c] = known[c]
     }
     goto end_again
  :: atomic { expired[c] -> goto done }
  fi;
wait:
  if
  :: atomic { rq[t].state == replied && rq[t].kind == change && !silent[c] ->
       Observe(rq[t].value);
       Learn(t, c);
       own[c]--;
       Barrier(c, t);
       if
       :: FRESH(t, c) -> have[c] = true; cached[c] = rq[t].value
       :: have[c] = false; cached[c] = 0
       fi;
       End(t) }
  :: atomic { rq[t].state == replied && rq[t].kind == read_attr && !silent[c] ->
       assert(rq[t].value >= rq[t].floor);
       Observe(rq[t].value);
       Learn(t, c);
       if
       :: FRESH(t, c) -> have[c] = true; cached[c] = rq[t].value
       :: true                   /* used once */
       fi;
       End(t) }
  :: atomic { rq[t].state == replied && rq[t].kind == read_page && !silent[c] ->
       Learn(t, c);
       if
#ifdef NO_ASKING_AGAIN         /* an overtaken page is handed to the kernel, which keeps it */
       :: writing[c]++
#else
       :: FRESH(t, c) -> writing[c]++
       :: else -> rq[t].state = idle; goto ask_again
#endif
       fi }
    /* Between the look at the barrier and the page's being there: the gate. */
    atomic {
      have[c] = true;
      cached[c] = rq[t].value;
      assert(rq[t].value >= rq[t].floor);
      Observe(rq[t].value);
      writing[c]--;
      page_locked[c] = false;
      End(t)
    }
  /* (What is parked at the server is the server's, until it drops it with the session.) */
  :: atomic { expired[c] && rq[t].state != parked_change -> End(t) } -> goto done
  fi;
  goto end_again;
ask_again:
  /* Its page stays locked. Asked while an own change is under way it would be overtaken again. */
  if
  :: atomic { own[c] == 0 && !silent[c] -> Begin(t, read_page) }
  :: expired[c]
  fi;
  goto wait;
done:
  skip
}

proctype Recaller(byte c) {
  byte n, i;
end:
  do
  :: atomic { !silent[c] && nempty(events[c]) ->
       events[c]?n;
       have[c] = false;
       cached[c] = 0;
#ifndef NO_BARRIER             /* replies on their way are still believed after the recall */
       Barrier(c, NOBODY);
#endif
     }
     GATE(c);
#ifdef WAIT_FOR_PAGES          /* invalidates pages of READs under way too: waits for their locks */
     !page_locked[c];
#endif
     atomic {
       have[c] = false;
       cached[c] = 0;
       answers[c] = answers[c] | BIT(n);
       n = 0
     }
  od
}

/* The stream breaks, with or without what was in it, and is opened again. */
proctype Stream(byte c) {
end:
  do
  :: atomic { breaks > 0 && outstanding[c] != 0 ->
       breaks--;
       if
       :: nempty(events[c]) -> events[c]?_
       :: true                   /* it arrives, and again */
       fi;
       if
       :: nfull(events[c]) -> events[c]!outstanding[c]
       :: full(events[c])
       fi }
  od
}

/* The last client falls silent. It reads its cache until it notices. */
proctype Silence() {
end:
  silent[CLIENTS - 1] = true;
  atomic {
    writing[CLIENTS - 1] == 0 ->
    expired[CLIENTS - 1] = true;
    have[CLIENTS - 1] = false;
    cached[CLIENTS - 1] = 0
  }
}

init {
  byte c, t;
  atomic {
    c = 0;
    do
    :: c < CLIENTS ->
      run Recaller(c);
      run Stream(c);
      t = c * THREADS;
      do
      :: t < (c + 1) * THREADS -> run Thread(c, t); t++
      :: else -> break
      od;
      c++
    :: else -> break
    od;
#if SILENT
    run Silence();
#endif
    c = 0;
    t = 0
  }
}
