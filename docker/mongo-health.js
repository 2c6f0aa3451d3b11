// The health check: makes the one-node replica set the first time; exit code 0 once it has a primary.
const password = require('fs').readFileSync('/run/secrets/mongo_root_password', 'utf8').trim();
const admin = connect('mongodb://127.0.0.1:27017/admin?directConnection=true&serverSelectionTimeoutMS=5000');
admin.auth('root', password);
if (!admin.hello().setName) {
  admin.adminCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: 'mongo:27017' }] } });
}
quit(admin.hello().isWritablePrimary ? 0 : 1);
