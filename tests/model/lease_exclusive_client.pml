/* Part of lease_exclusive.pml: the clients. */

/* Nothing in flight of client c teaches anything any more, but for request `except`. */
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

inline Observe(seen) {
  if
  :: seen > newest -> newest = seen
  :: else
  fi
}

inline Forget(c) {
  have[c] = false;
  cached[c] = 0
}

/* Local reads, which nobody else hears of, and what must be true at any time. */
active proctype Watch() {
end:
  do
#define LOOK(c) \
  :: atomic { have[c] && cached[c] > newest -> newest = cached[c] } \
  :: atomic { have[c] && cached[c] < newest -> assert(cached[c] >= newest) }
#define EXCLUDES(c, o) \
  :: atomic { excl[c] && (excl[o] || have[o]) -> assert(!(excl[c] && (excl[o] || have[o]))) }
  LOOK(0) LOOK(1) EXCLUDES(0, 1) EXCLUDES(1, 0)
#if CLIENTS > 2
  LOOK(2) EXCLUDES(0, 2) EXCLUDES(1, 2) EXCLUDES(2, 0) EXCLUDES(2, 1)
#endif
  od
}

inline Begin(t, what) {
  rq[t].kind = what;
  rq[t].floor = newest;
  rq[t].state = sent
}

inline End(t) {
  rq[t].state = idle;
  rq[t].kind = change;
  rq[t].value = 0;
  rq[t].grant = 0;
  rq[t].floor = 0;
  rq[t].need = 0;
  rq[t].again = false;
  rq[t].overtaken = false;
  rq[t].asked = false;
  rq[t].holder = 0;
#if RETURNS
  rq[t].sequence = 0;
#endif
  rq[t].glimpse = 0
}

#define CLEAN(c) (dirty[c] == 0 && flushing[c] == 0)
#define HEARD(c) (!silent[c] && !gone[c])
#define GATE(c) (writing[c] == 0)
#ifdef NO_LOCAL_GATE           /* a page being written may land after an acknowledged write */
#define LOCAL_GATE(c) true
#else
#define LOCAL_GATE(c) GATE(c)
#endif
#ifdef WRITE_BESIDE_CHANGES    /* writes behind while own changes are on their way to the server */
#define NO_OWN(c) true
#else
#define NO_OWN(c) (own[c] == 0)
#endif
#ifdef CHANGE_BEFORE_FLUSH     /* an own change does not wait for what is dirty */
#define MAY_CHANGE(c) GATE(c)
#else
#define MAY_CHANGE(c) (GATE(c) && CLEAN(c) && pending[c] == 0)
#endif
#ifdef STAT_BEFORE_FLUSH       /* the server is asked where nothing is known, though it is dirty */
#define MAY_STAT(c) true
#else
#define MAY_STAT(c) CLEAN(c)
#endif
#ifdef SYNC_ONE_GENERATION     /* an fsync waits for the flush under way only */
#define MAY_SYNC(c) (flushing[c] == 0)
#else
#define MAY_SYNC(c) CLEAN(c)
#endif
#ifdef RETURN_BEFORE_FLUSH
#define MAY_RETURN(c) GATE(c)
#else
#define MAY_RETURN(c) (GATE(c) && CLEAN(c))
#endif
#ifdef NO_OVERLAY              /* what is read from the server is handed out as it is */
#define SEEN(t, c) rq[t].value
#else
#define SEEN(t, c) (dirty[c] != 0 -> dirty[c] : (flushing[c] != 0 -> flushing[c] : rq[t].value))
#endif
#define FRESH(t, c) (rq[t].grant != NONE && !rq[t].overtaken && own[c] == 0)

inline Learn(t, c) {
#if RETURNS
  if
  :: rq[t].sequence > known[c] -> known[c] = rq[t].sequence
  :: else
  fi;
#endif
  if
  :: FRESH(t, c) && rq[t].grant == EXCLUSIVE -> excl[c] = true
  :: else
  fi
}

proctype Thread(byte c; byte t) {
  byte left = (c == 0 -> OPS : OTHER_OPS);
  byte i;
#if RETURNS
  byte sequence;
#endif
end_again:
  if
  :: d_step { left > 0 && writes > 0 && excl[c] && NO_OWN(c) && !expired[c] && LOCAL_GATE(c) ->
       left--;
       writes--;
       versions++;
       Barrier(c, NOBODY);
       have[c] = true;
       cached[c] = versions;
       dirty[c] = versions;
       newest = versions }
     goto end_again
  :: atomic { left > 0 && writes > 0 && HEARD(c) -> left--; writes--; own[c]++ }
     if
     :: d_step { MAY_CHANGE(c) && HEARD(c) -> Forget(c); Barrier(c, NOBODY); Begin(t, change) }
     :: gone[c] -> goto over
     fi
  :: d_step { left > 0 && HEARD(c) && (!have[c] || excl[c]) && !page_locked[c] && own[c] == 0 ->
       left--;
       page_locked[c] = true;
       Begin(t, page) }
  :: d_step { left > 0 && stats > 0 && HEARD(c) && !have[c] && own[c] == 0 && MAY_STAT(c) ->
       left--;
       stats--;
       Begin(t, stat) }
#if SYNCS
  :: d_step { left > 0 && syncs > 0 && HEARD(c) -> left--; syncs--; rq[t].floor = newest }
     if
     :: d_step { MAY_SYNC(c) && HEARD(c) -> rq[t].kind = sync; rq[t].state = sent }
     :: gone[c] -> goto over
     fi
#endif
#if RETURNS
  :: d_step { left > 0 && returns > 0 && HEARD(c) && known[c] != 0 && given_back[c] == 0 ->
       left--;
       returns--;
       sequence = known[c];
       excl[c] = false;
       Forget(c);
       Barrier(c, NOBODY) }
     if
     :: d_step { MAY_RETURN(c) && HEARD(c) ->
          Forget(c);
          given_back[c] = sequence;
          sequence = 0 }
     :: gone[c] -> goto over
     fi;
     goto end_again
#endif
  :: gone[c] -> goto over
  fi;
wait:
  if
  :: d_step { rq[t].state == replied && rq[t].kind == change && HEARD(c) ->
       Observe(rq[t].value);
       own[c]--;
       Barrier(c, t);
       Learn(t, c);
       if
       :: FRESH(t, c) -> have[c] = true; cached[c] = rq[t].value
       :: else -> Forget(c)
       fi;
       End(t) }
  :: d_step { rq[t].state == replied && rq[t].kind == stat && HEARD(c) ->
       assert(rq[t].value >= rq[t].floor);
       Observe(rq[t].value);
       Learn(t, c);
       if
       :: FRESH(t, c) -> have[c] = true; cached[c] = rq[t].value
       :: else                   /* used once */
       fi;
       End(t) }
  :: d_step { rq[t].state == replied && rq[t].kind == sync && HEARD(c) ->
       error[c] = false;
       End(t) }
  :: atomic { rq[t].state == replied && rq[t].kind == page && HEARD(c) ->
       if
       :: FRESH(t, c) -> Learn(t, c); writing[c]++; rq[t].value = SEEN(t, c)
       :: else -> End(t); goto ask_again
       fi }
    /* Between the look at the barrier and the page's being there: the gate. */
    d_step {
      have[c] = true;
      cached[c] = rq[t].value;
      assert(rq[t].value >= rq[t].floor);
      Observe(rq[t].value);
      writing[c]--;
      page_locked[c] = false;
      End(t)
    }
  :: atomic { gone[c] && (rq[t].state != parked) -> End(t); goto over }
  fi;
  goto end_again;
ask_again:
  /* Its page stays locked. */
  if
  :: d_step { own[c] == 0 && HEARD(c) -> Begin(t, page) }
  :: atomic { gone[c] -> goto over }
  fi;
  goto wait;
over:
  skip
}

#ifdef ANSWER_BEFORE_FLUSH
#define MAY_ANSWER(c) GATE(c)
#else
#ifdef ANSWER_ONE_GENERATION   /* … with what somebody else began to flush still under way */
#define MAY_ANSWER(c) (GATE(c) && dirty[c] == 0)
#else
#define MAY_ANSWER(c) (GATE(c) && CLEAN(c))
#endif
#endif
#ifdef GLIMPSE_BY_BELIEF       /* who does not believe its lease says that it knows nothing */
#define LATEST(c) (excl[c] && !CLEAN(c) -> (dirty[c] != 0 -> dirty[c] : flushing[c]) : 0)
#else
#define LATEST(c) (dirty[c] != 0 -> dirty[c] : flushing[c])
#endif
#ifdef DONE_BEFORE_FLUSH
#define MAY_BE_DONE(c) GATE(c)
#else
#define MAY_BE_DONE(c) (GATE(c) && CLEAN(c))
#endif

#define ASKED(t) :: rq[t].asked && rq[t].holder == c && HEARD(c) -> i = t

proctype Daemon(byte c) {
  byte i;
end:
  do
  :: d_step { dirty[c] != 0 && flush[c] == idle && HEARD(c) ->
       flushing[c] = dirty[c];
       dirty[c] = 0;
       flush[c] = sent }
#ifdef FLUSH_TWO_GENERATIONS   /* a second one is sent while one is under way */
  :: d_step { dirty[c] != 0 && flush[c] == sent && stray[c] == 0 && HEARD(c) ->
       stray[c] = flushing[c];
       flushing[c] = dirty[c];
       dirty[c] = 0 }
#endif
  :: d_step { flush[c] == replied && HEARD(c) ->
#ifdef LEARN_FROM_FLUSH        /* its reply says what the file is like */
       cached[c] = (have[c] -> flushing[c] : 0);
#endif
       flushing[c] = 0;
       flush[c] = idle;
#ifndef NO_FLUSH_BARRIER       /* reads that the server answered before are believed */
       Barrier(c, NOBODY);
#endif
     }
  :: d_step { events[c] != 0 && HEARD(c) ->
       pending[c] = pending[c] | events[c];
       events[c] = 0;
#ifdef KEEP_EXCLUSIVE          /* writes behind after a recall to shared */
       excl[c] = excl[c] && !(pending[c] & TO_NONE);
#else
       excl[c] = false;
#endif
#ifndef NO_BARRIER             /* replies on their way are still believed after the recall */
       Barrier(c, NOBODY);
#endif
       if
       :: pending[c] & TO_NONE -> Forget(c)
       :: else
       fi }
  :: d_step { pending[c] != 0 && MAY_ANSWER(c) && HEARD(c) ->
       if
       :: pending[c] & TO_NONE -> Forget(c)
       :: else
       fi;
       answers[c] = answers[c] | pending[c];
       pending[c] = 0 }
#if BREAKS
  /* The stream is opened again, and what was not answered repeated. (Its loss is delay.) */
  :: d_step { breaks > 0 && open[c] != 0 && HEARD(c) && !grace ->
       breaks--;
       events[c] = events[c] | open[c] }
#endif
#if STATS
  :: atomic {
       if
       ANY_REQUEST(ASKED)
       fi;
       rq[i].asked = false;
       rq[i].glimpse = LATEST(c);
       i = 0 }
#endif
#if RESTARTS
  :: d_step { grace && !noticed[c] && HEARD(c) && !fenced[c] ->
       noticed[c] = true;
#ifndef KEEP_OVER_RESTART      /* writes behind under what the last run granted */
       excl[c] = false;
#endif
       pending[c] = 0;
       Forget(c);
       Barrier(c, NOBODY) }
  :: d_step { grace && noticed[c] && !back[c] && MAY_BE_DONE(c) && HEARD(c) ->
       Forget(c);
       back[c] = true }
#endif
  od
}
