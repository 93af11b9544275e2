#!/bin/sh
# Process 1 of a throw-away host: mounts, then keeps the services of the host running the way
# Restart=always does. Files in /run/lab steer it: NAME.stopped holds a service down, NAME.crashing
# kills it again and again; NAME.pid is written here.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export FAKETIME_DISABLE_SHM=1 FAKETIME_DONT_FAKE_MONOTONIC=1

mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    IFS=: read -r name major minor <<E
$node
E
    mknod -m 666 "/dev/$name" c "$major" "$minor"
done
mkdir -p /dev/pts /dev/shm /run/sshd /run/lock /run/user /run/lab
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
hostname -F /etc/hostname
: > /run/utmp

# supervise NAME NEEDED PROGRAM [ARGUMENT...]: starts nothing while the file NEEDED is missing
supervise() {
    name=$1 needed=$2
    shift 2
    while :; do
        if [ ! -e "$needed" ] || [ ! -x "$needed_program" ] || [ -e "/run/lab/$name.stopped" ]; then
            sleep 0.1
            continue
        fi
        "$@" >> "/var/log/$name.log" 2>&1 < /dev/null &
        pid=$!
        echo "$pid" > "/run/lab/$name.pid"
        if [ -e "/run/lab/$name.crashing" ]; then
            sleep 0.2
            kill -KILL "$pid"
        fi
        wait "$pid"
        rm -f "/run/lab/$name.pid"
        sleep 0.1
    done
}

identity=/var/lib/cloudid/identity.json
libexec=/usr/libexec/cloudid
as_cloudid="setpriv --reuid cloudid --regid cloudid --init-groups --inh-caps=-all"

# what tmpfiles.d and RuntimeDirectory= do: the last good map is there before the daemon
mkdir -p /run/cloudid
chown cloudid:cloudid /run/cloudid
mkdir -p /run/cloudid-lookups /run/systemd/userdb
chown cloudid-keys:cloudid-keys /run/cloudid-lookups
ln -s /run/cloudid-lookups/userdb.sock /run/systemd/userdb/io.cloudid.UserDatabase
if [ -e "$identity" ] && [ -x "$libexec/cloudid-cacher" ]; then
    $as_cloudid "$libexec/cloudid-cacher" publish-map >> /var/log/publish-map.log 2>&1
fi

needed_program=/usr/sbin/sshd supervise sshd /etc/ssh/sshd_config /usr/sbin/sshd -D -e &
needed_program=/usr/sbin/cron supervise cron /etc/crontab /usr/sbin/cron -f &
needed_program=$libexec/cloudid-helper supervise helper "$identity" "$libexec/cloudid-helper" &
needed_program=$libexec/cloudid-cacher supervise cacher "$identity" $as_cloudid "$libexec/cloudid-cacher" &
needed_program=$libexec/cloudid-cacher supervise lookups "$identity" \
    setpriv --reuid cloudid-keys --regid cloudid-keys --init-groups --inh-caps=-all \
    "$libexec/cloudid-cacher" lookups &
touch /run/lab/ready

# the supervisors never end; wait also reaps what lost its parent
wait
