/*
 * The bare relay: the smallest program that moves frames between two TAP devices, one in each of two network
 * namespaces, with the same virtio-net header and the same offloads as vswitchd. It looks at nothing and decides
 * nothing, so what it reaches is the limit of this kind of I/O; scripts/bench measures vswitchd against it.
 *
 *   relay NETNS_A INTERFACE_A NETNS_B INTERFACE_B
 *
 * A TAP belongs to the namespace of the thread that opens /dev/net/tun, hence the setns() before each open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_tap(const char *netns, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = 10, ns, fd;

	if ((ns = open(netns, O_RDONLY | O_CLOEXEC)) < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(netns);
	close(ns);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if ((fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		die("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		die(name);
	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | 0x60) < 0 &&
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
		die("TUNSETOFFLOAD");
	return fd;
}

/* Everything that waits, up to a budget, so that neither direction starves the other. */
static void drain(int from, int to)
{
	static char buffer[10 + 65536 + 64];

	for (int budget = 64; budget > 0; budget--) {
		ssize_t got = read(from, buffer, sizeof(buffer));
		if (got < 0)
			return;
		if (write(to, buffer, got) < 0 && errno != EAGAIN && errno != EIO && errno != EINVAL)
			die("write");
	}
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (argc != 5) {
		fprintf(stderr, "usage: %s NETNS_A INTERFACE_A NETNS_B INTERFACE_B\n", argv[0]);
		return 2;
	}
	fds[0].fd = open_tap(argv[1], argv[2]);
	fds[1].fd = open_tap(argv[3], argv[4]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			die("poll");
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				drain(fds[i].fd, fds[1 - i].fd);
	}
}
