# What can be chosen for every version. A version's own facts are in its variable file.

variable "vmware_esxi_iso_path" {
  type        = string
  default     = env("VMWARE_ESXI_ISO_PATH")
  description = "The installer's ISO on this machine, from Broadcom's download pages."
  validation {
    condition     = var.vmware_esxi_iso_path != ""
    error_message = "VMware's ISO has no public address. Name yours as vmware_esxi_iso_path, or in the environment as VMWARE_ESXI_ISO_PATH."
  }
}

variable "filename" {
  type        = string
  default     = ""
  description = "Where the image goes; by default NAME.dd.gz in the working folder."
}

variable "timeout" {
  type        = string
  default     = "1h"
  description = "How long the installation may take in all. A dead or silent installer ends it sooner."
}

variable "headless" {
  type        = bool
  default     = true
  description = "Without a window for the machine's screen."
}

variable "root_password" {
  type        = string
  default     = ""
  sensitive   = true
  description = "root's password on all machines, or its hash as crypt(3) makes it ($6$...). By default one is generated, and told at the end of the build."
  validation {
    condition     = var.root_password == "" || can(regex("^\\S{7,40}$|^\\$\\S+$", var.root_password))
    error_message = "ESXi takes passwords of 7 to 40 characters without spaces, or a hash that begins with $."
  }
}

variable "license_key" {
  type        = string
  default     = ""
  sensitive   = true
  description = "ESXi's licence key. Without one, each machine runs in evaluation mode for 60 days."
}

variable "ssh" {
  type        = bool
  default     = true
  description = "Let root log in by ssh, with the keys from MAAS."
}

variable "shell" {
  type        = bool
  default     = false
  description = "Let root log in at the machine's own console."
}

variable "vcenter_server" {
  type        = string
  default     = ""
  description = "The vCenter that each machine joins. Better set in MAAS, with the other three: then it is not in the image, and MAAS's settings win."
}

variable "vcenter_username" {
  type        = string
  default     = ""
  description = "An account of vCenter that may add hosts."
}

variable "vcenter_password" {
  type        = string
  default     = ""
  sensitive   = true
  description = "Its password."
}

variable "vcenter_datacenter" {
  type        = string
  default     = ""
  description = "The data centre of vCenter that hosts go to; not needed where there is one."
}

variable "vcenter_ca" {
  type        = string
  default     = ""
  description = "A file with the certificate, as PEM, of the authority that vCenter's own is by. Without, vCenter's certificate is not checked."
}

variable "kickstart" {
  type        = string
  default     = ""
  description = "Answers of your own, in place of KS.CFG.pkrtpl.hcl. They have to halt the machine, and to run main.py at the first boot."
}

variable "firmware" {
  type        = string
  default     = "bios"
  description = "The firmware of the build's machine: bios or uefi. If your machines do not start from the image, build with their own."
  validation {
    condition     = contains(["bios", "uefi"], var.firmware)
    error_message = "The firmware is bios or uefi."
  }
}

variable "boot_wait" {
  type        = number
  default     = 30
  description = "How many seconds the installer's boot loader may take to appear. It takes longer without KVM."
}

# The version's own facts.

variable "name" {
  type        = string
  description = "What the version is called here: the variable file's name."
}

variable "title" {
  type        = string
  description = "What MAAS's pages show."
}

variable "maas_name" {
  type        = string
  description = "The image's name in MAAS, such as esxi/8."
}

variable "memory" {
  type        = number
  description = "MiB of memory for the build's machine: what the installer asks for, and some."
}

variable "disk_size" {
  type        = string
  description = "The build's disk, which is the smallest that the image fits: partitions are as large as MAAS's storage layout for the version has them."
}

variable "disk_interface" {
  type        = string
  default     = "ide"
  description = "The build's disk. On q35, ide is SATA (AHCI), which each version has a driver for."
}

variable "net_device" {
  type        = string
  default     = "vmxnet3"
  description = "The build's network card, which the installer will not do without."
}

variable "install_options" {
  type        = string
  description = "Options of the kickstart's command install."
}

variable "boot_options" {
  type        = string
  description = "Options of the installer's kernel, to be typed: keep them short."
}
