/*
 * network.c - attacks: another connection than the two of the session
 *
 * A worker's filter has no socket(2), no connect(2), and of what works on
 * sockets only what does not reach its siblings.
 */
#include "test/attack/attack.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char buffer[4096];
static struct sockaddr_in local = { .sin_family = AF_INET };
static struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
static struct iovec vector = { buffer, 1 };
static struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
/* room for a descriptor in a packet */
static union {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
} rights;

/* pass - a descriptor of ours to somebody */
static long
pass(long to)
{
    long call[7] = { SYS_sendmsg, to, TEXT(&message), MSG_DONTWAIT };
    int listener = (int)attack_held(LISTENER);

    rights.head.cmsg_len = CMSG_LEN(sizeof(listener));
    rights.head.cmsg_level = SOL_SOCKET;
    rights.head.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&rights.head), &listener, sizeof(listener));
    message.msg_control = &rights;
    message.msg_controllen = sizeof(rights);
    return attack_call(call);
}

static long
pass_keeper(void)
{
    return pass(KEYS);
}

static long
pass_connector(void)
{
    return pass(ROUTES);
}

static long
pass_runner(void)
{
    return pass(PROGRAMS);
}

static long
pass_master(void)
{
    return pass(REPORT);
}

static long
pass_logger(void)
{
    return pass(LOG);
}

#define LOCAL TEXT(&local), sizeof(local)
#define ONE   TEXT(buffer), 4

static const struct attack attacks[] = {
    CALL("socket-tcp", "SYS", SYS_socket, AF_INET, SOCK_STREAM, 0),
    CALL("socket-udp", "SYS", SYS_socket, AF_INET6, SOCK_DGRAM, 0),
    CALL("socket-unix", "SYS", SYS_socket, AF_UNIX, SOCK_STREAM, 0),
    CALL("socket-raw", "SYS", SYS_socket, AF_INET, SOCK_RAW, 255),
    CALL("socket-packet", "SYS", SYS_socket, AF_PACKET, SOCK_RAW, 0),
    CALL("socket-netlink", "SYS", SYS_socket, AF_NETLINK, SOCK_RAW, 0),
    CALL("socket-alg", "SYS", SYS_socket, AF_ALG, SOCK_SEQPACKET, 0),
    CALL("socket-vsock", "SYS", SYS_socket, AF_VSOCK, SOCK_STREAM, 0),
    CALL("socketpair", "SYS", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0,
         TEXT(buffer)),
    CALL("connect", "SYS", SYS_connect, CLIENT, LOCAL),
    CALL("disconnect", "SYS", SYS_connect, CLIENT, TEXT(&nowhere),
         sizeof(nowhere)),
    CALL("bind", "SYS", SYS_bind, CLIENT, LOCAL),
    CALL("listen", "SYS", SYS_listen, CLIENT, 10),
    CALL("listen-zero", "SYS", SYS_listen, LISTENER, 0),
    CALL("accept", "SYS", SYS_accept, LISTENER, 0, 0),
    CALL("accept-blocking", "SYS", SYS_accept4, LISTENER, 0, 0, 0),
    CALL("accept-none", "EAGAIN", SYS_accept4, LISTENER, 0, 0,
         SOCK_NONBLOCK | SOCK_CLOEXEC),
    CALL("send-to", "SYS", SYS_sendto, CLIENT, TEXT("x"), 1, 0, LOCAL),
    CALL("fast-open", "SYS", SYS_sendto, CLIENT, TEXT("x"), 1, MSG_FASTOPEN,
         LOCAL),
    CALL("sendmsg", "SYS", SYS_sendmsg, CLIENT, TEXT(&message), 0),
    CALL("sendmmsg", "SYS", SYS_sendmmsg, CLIENT, TEXT(buffer), 1, 0),
    CALL("recvmmsg", "SYS", SYS_recvmmsg, CLIENT, TEXT(buffer), 1, 0, 0),
    CALL("recvmsg-report", "SYS", SYS_recvmsg, REPORT, TEXT(&message),
         MSG_DONTWAIT),
    CALL("recvmsg-log", "SYS", SYS_recvmsg, LOG, TEXT(&message), MSG_DONTWAIT),
    RUN("pass-keeper", "SYS", NULL, pass_keeper),
    RUN("pass-connector", "SYS", NULL, pass_connector),
    RUN("pass-runner", "SYS", NULL, pass_runner),
    RUN("pass-master", "SYS", NULL, pass_master),
    RUN("pass-logger", "SYS", NULL, pass_logger),
    /* their ends of these pairs never say anything to the worker's */
    CALL("recv-report", "EAGAIN", SYS_recvfrom, REPORT, ONE, MSG_DONTWAIT, 0),
    CALL("peek-report", "EAGAIN", SYS_recvfrom, REPORT, ONE,
         MSG_DONTWAIT | MSG_PEEK, 0),
    CALL("recv-log", "EAGAIN", SYS_recvfrom, LOG, ONE, MSG_DONTWAIT, 0),
    CALL("recv-listener", "ENOTCONN", SYS_recvfrom, LISTENER, ONE, MSG_DONTWAIT,
         0),
    CALL("oob-report", "EOPNOTSUPP", SYS_sendto, REPORT, TEXT("x"), 1, MSG_OOB,
         0),
    CALL("shutdown-listener", "SYS", SYS_shutdown, LISTENER, SHUT_RDWR),
    CALL("shutdown-report", "SYS", SYS_shutdown, REPORT, SHUT_RDWR),
    CALL("shutdown-log", "SYS", SYS_shutdown, LOG, SHUT_RDWR),
    CALL("linger-listener", "SYS", SYS_setsockopt, LISTENER, SOL_SOCKET,
         SO_LINGER, TEXT(buffer), 8),
    CALL("timeout-log", "SYS", SYS_setsockopt, LOG, SOL_SOCKET, SO_SNDTIMEO,
         TEXT(buffer), 16),
    CALL("timeout-report", "SYS", SYS_setsockopt, REPORT, SOL_SOCKET,
         SO_SNDTIMEO, TEXT(buffer), 16),
    CALL("nodelay-listener", "SYS", SYS_setsockopt, LISTENER, IPPROTO_TCP,
         TCP_NODELAY, ONE),
    CALL("buffer-client", "SYS", SYS_setsockopt, CLIENT, SOL_SOCKET, SO_RCVBUF,
         ONE),
    CALL("filter-client", "SYS", SYS_setsockopt, CLIENT, SOL_SOCKET,
         SO_ATTACH_FILTER, TEXT(buffer), 16),
    CALL("filter-listener", "SYS", SYS_setsockopt, LISTENER, SOL_SOCKET,
         SO_ATTACH_FILTER, TEXT(buffer), 16),
    CALL("passcred-report", "SYS", SYS_setsockopt, REPORT, SOL_SOCKET,
         SO_PASSCRED, ONE),
    CALL("tcp-repair", "SYS", SYS_setsockopt, CLIENT, IPPROTO_TCP, TCP_REPAIR,
         ONE),
    CALL("tcp-ulp", "SYS", SYS_setsockopt, CLIENT, IPPROTO_TCP, TCP_ULP,
         TEXT("tls"), 4),
    CALL("getsockopt-tcp", "SYS", SYS_getsockopt, LISTENER, IPPROTO_TCP,
         TCP_INFO, TEXT(buffer), TEXT(buffer)),
    CALL("getpeername", "SYS", SYS_getpeername, CLIENT, TEXT(buffer),
         TEXT(buffer)),
    CALL("interfaces", "SYS", SYS_ioctl, CLIENT, 0x8912, TEXT(buffer)),
};
const struct attack_theme attack_network = THEME(attacks);
