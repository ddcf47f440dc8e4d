/* A client that the server does not hear: it must have dropped its caches before the server gives
 * them up. Discrete time; messages take as long as they like.
 *
 * What corresponds to what: `now` is real time (CLOCK_BOOTTIME, which goes on while the host sleeps);
 * Client is client/cache's watch over the session, Server the session table's ExpireSilent. The
 * client counts from the *sending* of the last call that was answered, so that it can only err on the
 * safe side: the server heard of it then or later. It needs `LATENESS` to notice and drop (timers,
 * notifications to the kernel), for which the margin must make up.
 *
 * Assumed: the daemon runs, or wakes within LATENESS. One that is stopped (SIGSTOP) for longer leaves
 * what the *kernel* caches in use; only timeouts of names and attributes end that.
 *
 * Property: once the server has fenced the session and applied a change, the cache is not used, also
 * not by a grant that arrives after all.
 */
#define LIFETIME 5
#ifndef MARGIN
#define MARGIN 2
#endif
#define LATENESS 1
#define END 14

mtype = { none, on_the_way, answered };

byte now;
mtype call = none;             /* the one call under way; also a read, which is granted */
byte call_sent;
byte heard;                    /* by the server: when it last heard of the session */
byte counted;                  /* by the client: from when its lifetime counts */
bool have = true;
bool changed;                  /* fenced, and another's change applied */

#ifdef COUNT_FROM_RECEIPT      /* a slow answer makes the client believe in a longer life */
#define HEARD_OF now
#else
#define HEARD_OF call_sent
#endif
#define DUE (now >= counted + LIFETIME - MARGIN)

active proctype Client() {
end:
  do
  :: atomic { call == none -> call = on_the_way; call_sent = now }
  :: atomic { call == answered ->
       if
       :: HEARD_OF > counted -> counted = HEARD_OF
       :: else
       fi;
       if
#ifdef TRUST_LATE_GRANT        /* a grant is believed however long it was on its way */
       :: true -> have = true
#else
       :: !DUE -> have = true
       :: else
#endif
       fi;
       call = none;
       call_sent = 0 }
  :: atomic { have && DUE -> have = false }
  od
}

active proctype Server() {
end:
  do
  :: atomic { call == on_the_way && !changed -> heard = now; call = answered }
  :: atomic { !changed && now > heard + LIFETIME -> changed = true }
  od
}

active proctype Time() {
end:
  do
  :: atomic { now < END && !(have && now >= counted + LIFETIME - MARGIN + LATENESS) -> now++ }
  od
}

active proctype Use() {
end:
  do
  :: have && changed -> assert(!changed)
  od
}
