# Runs once inside a new base root. Accounts of the package, one local account, quiet services.
rm -f /var/cache/apt/archives/*.deb
rm -rf /var/lib/apt/lists/*

# what the package makes
useradd --system --home-dir /var/lib/cloudid --no-create-home --shell /usr/sbin/nologin cloudid
useradd --system --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin cloudid-keys

# somebody who is known to this host only, and a root with a password
useradd --create-home --shell /bin/bash local
echo 'local:local-password' | chpasswd
echo 'root:root-password' | chpasswd
echo 'local ALL=(ALL) ALL' > /etc/sudoers.d/local
chmod 440 /etc/sudoers.d/local

# sshd of OpenSSH 9.8 and later punishes an address whose logins fail; tests fail logins on purpose
echo 'UseDNS no' > /etc/ssh/sshd_config.d/00-lab.conf
exempt=/etc/ssh/sshd_config.d/01-lab.conf
echo 'PerSourcePenaltyExemptList 10.77.0.0/16' > "$exempt"
mkdir -p /run/sshd
/usr/sbin/sshd -t 2> /dev/null || rm "$exempt"
