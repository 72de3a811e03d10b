package insert

// betterWay is what makes writing NTFS from outside needless.
const betterWay = `better, have Windows itself put the files there while it is installed: a command of the answer file, or a Packer provisioner, that copies the hooks to C:\curtin needs nothing on this machine`
