# Makes a machine a host. The token is a file on the machine, put there by the site's secret store,
# readable for root alone; it is neither an attribute nor an argument, and is gone afterwards.
# Attributes: node['cloudid']['directory'], node['cloudid']['tags'], node['cloudid']['token_file'].

package 'cloudid-cacher'

tags = node['cloudid']['tags'].map { |tag| "--tag=#{tag}" }
token_file = node['cloudid']['token_file']

execute 'cloudid enroll' do
  command ['cloudid', 'enroll', node['cloudid']['directory'],
           '--token-file', token_file, '--yes', *tags]
  not_if { ::File.exist?('/var/lib/cloudid/identity.json') }
end

file token_file do
  action :delete
end

execute 'cloudid doctor' do
  command %w(cloudid doctor)
end
