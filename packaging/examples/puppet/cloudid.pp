# Makes a machine a host. The token is a file on the machine, put there by the site's secret store,
# readable for root alone; it is neither a parameter nor an argument, and is gone afterwards.
class cloudid (
  String $directory,
  Array[String] $tags = [],
  Stdlib::Absolutepath $token_file = '/root/cloudid-token',
) {
  package { ['cloudid-cacher', 'libnss-cloudid', 'libpam-cloudid', 'cloudid']:
    ensure => installed,
  }

  $tag_options = $tags.map |$tag| { "--tag=${tag}" }

  exec { 'cloudid enroll':
    command => ['cloudid', 'enroll', $directory, '--token-file', $token_file, '--yes'] + $tag_options,
    path    => ['/usr/bin', '/usr/sbin', '/bin', '/sbin'],
    creates => '/var/lib/cloudid/identity.json',
    require => Package['cloudid-cacher'],
  }

  file { $token_file:
    ensure  => absent,
    require => Exec['cloudid enroll'],
  }
}
