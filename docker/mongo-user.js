// Run once by the image on an empty database: the server's own user, who may read and write one database.
const password = require('fs').readFileSync('/run/secrets/mongo_password', 'utf8').trim();
db.getSiblingDB('lookgate').createUser({
  user: 'lookgate', pwd: password, roles: [{ role: 'readWrite', db: 'lookgate' }],
});
