# The answers to the installer's questions, rendered by el.pkr.hcl.

text
poweroff
lang en_US.UTF-8
keyboard --vckeymap=us --xlayouts=us
timezone UTC --utc
network --bootproto=dhcp --activate
firewall --enabled --service=ssh
selinux --enforcing
firstboot --disabled
skipx
%{ if release < 8 ~}
eula --agreed
%{ endif ~}

# Nobody knows this password, and the account is locked below.
rootpw --plaintext ${password}
%{ if provision ~}
# For Packer alone; maas-qemu removes the account when the provisioners are done.
user --name=${build_account} --groups=wheel --plaintext --password=${password}
%{ endif ~}

# Where the packages come from.
%{ if base_url == "" ~}
cdrom
%{ else ~}
url --url="${base_url}"%{ if proxy != "" } --proxy="${proxy}"%{ endif }
%{ endif ~}
%{ for name, url in repositories ~}
repo --name="${name}" --baseurl="${url}"%{ if proxy != "" && !startswith(url, "file:") } --proxy="${proxy}"%{ endif }
%{ endfor ~}

# One partition, and what the firmware needs beside it. It is the layout of the build
# alone: MAAS makes its own on each machine.
zerombr
clearpart --all --initlabel
reqpart
part / --fstype=${filesystem} --size=1024 --grow
bootloader --timeout=1

%packages${packages_options}
@core
%{ for name in packages ~}
${name}
%{ endfor ~}
%end

%post --erroronfail
set -eux

# One kernel, with the drivers of all machines and not of this one alone.
version=$(rpm -q --queryformat '%%{VERSION}-%%{RELEASE}.%%{ARCH}\n' kernel)
[ "$(echo "$version" | wc -l)" = 1 ]
rm -f /boot/*rescue* /boot/loader/entries/*rescue*
dracut --force --no-hostonly "/boot/initramfs-$version.img" "$version"

# The boot menu of the build names the build's disk. The entries of the Boot Loader
# Specification keep working on any disk with the variable that grub2-mkconfig, which
# curtin runs, defines in grub.cfg.
for entry in /boot/loader/entries/*.conf; do
  [ ! -e "$entry" ] || sed -i 's/^options .*/options $kernelopts/' "$entry"
done
%{ if !provision ~}
rm -f /boot/grub2/grub.cfg /boot/grub2/grubenv /boot/efi/EFI/*/grub.cfg /boot/efi/EFI/*/grubenv
%{ endif ~}
rm -f /etc/kernel/cmdline
sed -i -e 's/ *\(resume\|rd\.lvm\.lv\|console\|inst[.a-z0-9]*\)=[^ "]*//g' /etc/default/grub

# The account that cloud-init makes, and MAAS as the place where it asks.
cat >/etc/cloud/cloud.cfg.d/90-maas.cfg <<'END'
datasource_list: [ MAAS, None ]
system_info:
  default_user:
    name: ${user}
    lock_passwd: true
    gecos: Cloud User
    groups: [ adm, systemd-journal ]
    sudo: [ "ALL=(ALL) NOPASSWD:ALL" ]
    shell: /bin/bash
END
for unit in cloud-init-main cloud-init-local cloud-init cloud-init-network cloud-config cloud-final; do
  [ ! -e "/usr/lib/systemd/system/$unit.service" ] || systemctl enable "$unit.service"
done

# What belongs to the build: networks, names, the proxy, the packages' cache.
rm -f /etc/sysconfig/network-scripts/ifcfg-[!l]* /etc/NetworkManager/system-connections/*
rm -f /etc/hostname /etc/resolv.conf /root/anaconda-ks.cfg /root/original-ks.cfg
: >/etc/resolv.conf
sed -i '/^proxy *=/d' /etc/yum.conf /etc/dnf/dnf.conf /etc/yum.repos.d/*.repo 2>/dev/null || :
yum clean all
rm -rf /var/cache/yum /var/cache/dnf /var/log/anaconda
%{ if provision ~}
echo '${build_account} ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/${build_account}
chmod 0440 /etc/sudoers.d/${build_account}

# The one boot of the build goes without cloud-init, which would forbid passwords for ssh,
# and wait for MAAS. What leaves it out removes itself in that boot.
touch /etc/cloud/cloud-init.disabled
cat >/etc/systemd/system/build-boot.service <<'END'
[Unit]
Description=Have cloud-init run from the next boot on
After=cloud-init.target cloud-final.service
[Service]
Type=oneshot
ExecStart=/bin/rm -f /etc/cloud/cloud-init.disabled /etc/systemd/system/build-boot.service /etc/systemd/system/multi-user.target.wants/build-boot.service
END
ln -s /etc/systemd/system/build-boot.service /etc/systemd/system/multi-user.target.wants/
%{ endif ~}
passwd --delete root
passwd --lock root

# Files made here have the labels that the system's policy gives them.
restorecon -RF /boot /etc /root /var || :
%end
